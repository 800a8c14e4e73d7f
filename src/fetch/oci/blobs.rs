//! What a manifest lists: the component to disk, config and policy to memory.

use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use reqwest::Response;

use super::endpoint::Endpoint;
use super::manifest::{Descriptor, Plan};
use super::media_type::ConfigKind;
use super::{Registry, WasmConfig, expectation};
use crate::digest::{Digest, Verifier};
use crate::fetch::download::{self, Download, Source};
use crate::fetch::error::{Failed, Failure};
use crate::fetch::http::{Body, HttpError, Resume};
use crate::fetch::outcome::Blob;
use crate::fetch::progress::Progress;
use crate::fetch::unpack::Unpack;

pub(super) const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

impl Registry<'_> {
    pub(super) async fn component(
        &self,
        endpoints: &[Endpoint],
        (index, layer): (usize, &Descriptor),
        (target, unpack, progress): (PathBuf, Option<Unpack>, &dyn Progress),
    ) -> Result<Blob, Failed> {
        let what = name(index, layer);
        let limit = self.options.max_component_bytes;
        if layer.size > limit {
            return Err(Failure::too_large(what, limit).into());
        }
        let _slot = self.downloads.take().await;
        self.first(endpoints, async |endpoint| {
            let source = BlobSource {
                registry: self,
                endpoint,
                descriptor: layer,
            };
            let first = Download {
                what: &what,
                path: target.clone(),
                expected: expectation(layer),
                unpack,
                parts: self.options.parts_of(&target),
                persistence: endpoint.persistence(),
                http: self.http,
                meter: self.meter,
                progress,
            };
            let (blob, _) = download::download(&source, first).await?;
            Ok(blob)
        })
        .await
    }

    pub(super) async fn policy(
        &self,
        endpoints: &[Endpoint],
        layer: Option<(usize, &Descriptor)>,
    ) -> Result<Option<String>, Failed> {
        let Some((index, layer)) = layer else {
            return Ok(None);
        };
        let limit = self.options.max_policy_bytes;
        let bytes = self
            .small_blob(endpoints, layer, &name(index, layer), limit)
            .await?;
        let text = String::from_utf8(bytes.into()).map_err(|_| Failure::PolicyText)?;
        Ok(Some(text))
    }

    pub(super) async fn config(
        &self,
        endpoints: &[Endpoint],
        config: Option<(ConfigKind, &Descriptor)>,
    ) -> Result<Option<(WasmConfig, Bytes)>, Failed> {
        let Some((ConfigKind::Wasm, descriptor)) = config else {
            // One of an image describes a container, which this is not.
            return Ok(None);
        };
        let bytes = self.config_bytes(endpoints, descriptor).await?;
        let config = serde_json::from_slice(&bytes).map_err(Failure::Config)?;
        Ok(Some((config, bytes)))
    }

    /// What an image's config says of the layer's unpacked bytes.
    pub(super) async fn diff_id(
        &self,
        endpoints: &[Endpoint],
        plan: &Plan<'_>,
    ) -> Result<Option<Digest>, Failed> {
        let Some((ConfigKind::Image, descriptor)) = plan.config else {
            return Ok(None);
        };
        let bytes = self.config_bytes(endpoints, descriptor).await?;
        Ok(plan.diff_id(&bytes).map_err(Failure::Config)?)
    }

    async fn config_bytes(
        &self,
        endpoints: &[Endpoint],
        descriptor: &Descriptor,
    ) -> Result<Bytes, Failed> {
        let what = config_name(descriptor);
        self.small_blob(endpoints, descriptor, &what, MAX_CONFIG_BYTES)
            .await
    }

    /// A blob that is kept in memory, as one of the downloads.
    async fn small_blob(
        &self,
        endpoints: &[Endpoint],
        descriptor: &Descriptor,
        what: &str,
        limit: u64,
    ) -> Result<Bytes, Failed> {
        if descriptor.size > limit {
            return Err(Failure::too_large(what, limit).into());
        }
        let _slot = self.downloads.take().await;
        self.read_small(endpoints, descriptor, what).await
    }

    /// A blob that is small enough for memory, for who has a slot.
    pub(super) async fn read_small(
        &self,
        endpoints: &[Endpoint],
        descriptor: &Descriptor,
        what: &str,
    ) -> Result<Bytes, Failed> {
        self.first(endpoints, |endpoint| {
            self.whole(endpoint, move || self.read_blob(endpoint, descriptor, what))
        })
        .await
    }

    async fn read_blob(
        &self,
        endpoint: &Endpoint,
        descriptor: &Descriptor,
        what: &str,
    ) -> Result<Bytes, Failure> {
        let response = self.blob(endpoint, descriptor, ("a blob", None)).await?;
        let mut stream = Body::new(response, self.meter);
        let mut verifier = Verifier::new(expectation(descriptor));
        let mut body = Vec::new();
        while let Some(chunk) = stream.next().await? {
            // Stops at the first byte too many, which is before the limit.
            let checked = verifier.update(&chunk);
            checked.map_err(|mismatch| Failure::mismatch(what, mismatch))?;
            body.extend_from_slice(&chunk);
        }
        verifier
            .finish()
            .map_err(|mismatch| Failure::mismatch(what, mismatch))?;
        Ok(body.into())
    }

    async fn blob(
        &self,
        endpoint: &Endpoint,
        descriptor: &Descriptor,
        (what, resume): (&'static str, Option<&Resume>),
    ) -> Result<Response, HttpError> {
        let digest = descriptor.digest.to_string();
        let response = self
            .request(Method::GET, endpoint, ("blobs", &digest), resume)
            .await?;
        if download::is_answer(&response, resume) {
            Ok(response)
        } else {
            Err(HttpError::refused(response, what).await)
        }
    }
}

/// A blob as something to download.
struct BlobSource<'a> {
    registry: &'a Registry<'a>,
    endpoint: &'a Endpoint,
    descriptor: &'a Descriptor,
}

impl Source for BlobSource<'_> {
    async fn open(&self, resume: Option<&Resume>) -> Result<Response, HttpError> {
        let how = ("the component", resume);
        self.registry
            .blob(self.endpoint, self.descriptor, how)
            .await
    }
}

pub(super) fn config_name(config: &Descriptor) -> String {
    format!("the config (`{}`)", config.media_type.escape_debug())
}

/// How a layer is called in messages.
pub(super) fn name(index: usize, layer: &Descriptor) -> String {
    format!("layer {index} (`{}`)", layer.media_type.escape_debug())
}
