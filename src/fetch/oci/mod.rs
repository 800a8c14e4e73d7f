//! Components from OCI registries: a client of the pull side of the
//! [distribution specification][spec], which holds every document and blob to
//! its digest and size, and bounds everything it keeps in memory.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod auth;
mod challenge;
mod endpoint;
mod fallback;
pub(super) mod layout;
mod layout_error;
mod login;
mod manifest;
mod media_type;
mod realm;
#[cfg(test)]
mod tests;
mod token;

use std::path::PathBuf;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use reqwest::Response;
use tokio::sync::{Semaphore, SemaphorePermit};

pub use auth::Auth;
pub use layout_error::LayoutError;
pub(super) use login::check_login;
pub use login::{Checked, LoginError};
pub use manifest::{ConfigTarget, InvalidManifest, WasmConfig};

use super::download::{self, Download, Source};
use super::error::Failure;
use super::hosts::Capability;
use super::http::{Body, Http, HttpError, Meter, Request, Resume, read_bounded};
use super::options::FetchOptions;
use super::outcome::{Artifact, Blob, Identity, Parts};
use super::progress::Progress;
use super::unpack::Unpack;
use crate::digest::{Digest, Expected, Verifier};
use crate::reference::OciReference;
use auth::Exchange;
use endpoint::Endpoint;
use manifest::{Descriptor, Document, Manifest, Plan};
use media_type::ConfigKind;

/// What registries themselves allow at most.
const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;
const DIGEST_HEADER: &str = "docker-content-digest";
const MANIFEST: &str = "the OCI manifest";

/// Speaks to registries on behalf of one fetch.
pub struct Registry<'a> {
    pub(super) http: &'a Http,
    pub(super) auth: &'a Auth,
    pub(super) options: &'a FetchOptions,
    pub(super) downloads: &'a Semaphore,
    pub(super) meter: &'a Meter,
}

/// What to pull, and where to.
pub(super) struct Pull<'a> {
    pub digest: Digest,
    /// The document of that digest, where it came with the resolution.
    pub manifest: Option<Bytes>,
    pub target: PathBuf,
    pub progress: &'a dyn Progress,
}

impl Registry<'_> {
    /// Turns a tag into a digest, once; everything later asks for digests.
    pub(super) async fn resolve(
        &self,
        reference: &OciReference,
    ) -> Result<(Identity, Option<Bytes>), Failure> {
        let (manifest_digest, manifest) = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => (digest, None),
            (None, tag) => {
                let endpoints = self.endpoints(reference, Capability::Resolve)?;
                let tag = tag.unwrap_or_default();
                self.first(&endpoints, |endpoint| self.look_up(endpoint, tag))
                    .await?
            }
        };
        Ok((Identity::Oci { manifest_digest }, manifest))
    }

    /// Pulls the artifact behind a digest: its component to disk, its config
    /// and policy to memory.
    pub(super) async fn pull(
        &self,
        reference: &OciReference,
        pull: Pull<'_>,
    ) -> Result<Parts, Failure> {
        let endpoints = self.endpoints(reference, Capability::Pull)?;
        let (manifest_digest, manifest) = self
            .manifest(&endpoints, pull.digest, pull.manifest)
            .await?;
        let plan = manifest.plan()?;
        let diff_id = match plan.packed.is_some() {
            true => self.diff_id(&endpoints, &plan).await?,
            false => None,
        };
        let unpack = plan.unpack(diff_id, self.options.max_component_bytes);
        let to = (pull.target, unpack, pull.progress);
        let (component, policy, config) = tokio::try_join!(
            self.component(&endpoints, plan.component, to),
            self.policy(&endpoints, plan.policy),
            self.config(&endpoints, plan.config),
        )?;
        Ok(Parts {
            identity: Identity::Oci {
                manifest_digest: pull.digest,
            },
            component,
            artifact: Some(Artifact {
                manifest_digest,
                config,
                layer_digests: manifest.layers.iter().map(|layer| layer.digest).collect(),
                annotations: manifest.annotations,
            }),
            policy,
        })
    }

    /// The manifest of the artifact, chosen from the index if there is one.
    async fn manifest(
        &self,
        endpoints: &[Endpoint],
        digest: Digest,
        known: Option<Bytes>,
    ) -> Result<(Digest, Manifest), Failure> {
        let expected = Expected {
            digest: Some(digest),
            ..Expected::default()
        };
        let bytes = match known {
            Some(bytes) => bytes,
            None => {
                self.first(endpoints, |endpoint| {
                    self.document(endpoint, digest, expected)
                })
                .await?
            }
        };
        let index = match Document::parse(&bytes)? {
            Document::Manifest(manifest) => return Ok((digest, manifest)),
            Document::Index(index) => index,
        };
        let chosen = index.select()?;
        let bytes = self
            .first(endpoints, |endpoint| {
                self.document(endpoint, chosen.digest, expectation(chosen))
            })
            .await?;
        match Document::parse(&bytes)? {
            Document::Manifest(manifest) => Ok((chosen.digest, manifest)),
            Document::Index(_) => Err(InvalidManifest::Nested.into()),
        }
    }

    async fn component(
        &self,
        endpoints: &[Endpoint],
        (index, layer): (usize, &Descriptor),
        (target, unpack, progress): (PathBuf, Option<Unpack>, &dyn Progress),
    ) -> Result<Blob, Failure> {
        let what = name(index, layer);
        let limit = self.options.max_component_bytes;
        if layer.size > limit {
            return Err(Failure::too_large(what, limit));
        }
        let _slot = self.slot().await;
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
                http: self.http,
                meter: self.meter,
                progress,
            };
            let (blob, _) = download::download(&source, first).await?;
            Ok(blob)
        })
        .await
    }

    async fn policy(
        &self,
        endpoints: &[Endpoint],
        layer: Option<(usize, &Descriptor)>,
    ) -> Result<Option<String>, Failure> {
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

    async fn config(
        &self,
        endpoints: &[Endpoint],
        config: Option<(ConfigKind, &Descriptor)>,
    ) -> Result<Option<WasmConfig>, Failure> {
        let Some((ConfigKind::Wasm, descriptor)) = config else {
            // One of an image describes a container, which this is not.
            return Ok(None);
        };
        let bytes = self.config_bytes(endpoints, descriptor).await?;
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(Failure::Config)
    }

    /// What an image's config says of the layer's unpacked bytes.
    async fn diff_id(
        &self,
        endpoints: &[Endpoint],
        plan: &Plan<'_>,
    ) -> Result<Option<Digest>, Failure> {
        let Some((ConfigKind::Image, descriptor)) = plan.config else {
            return Ok(None);
        };
        let bytes = self.config_bytes(endpoints, descriptor).await?;
        plan.diff_id(&bytes).map_err(Failure::Config)
    }

    async fn config_bytes(
        &self,
        endpoints: &[Endpoint],
        descriptor: &Descriptor,
    ) -> Result<Bytes, Failure> {
        let what = config_name(descriptor);
        self.small_blob(endpoints, descriptor, &what, MAX_CONFIG_BYTES)
            .await
    }

    /// A blob that is kept in memory.
    async fn small_blob(
        &self,
        endpoints: &[Endpoint],
        descriptor: &Descriptor,
        what: &str,
        limit: u64,
    ) -> Result<Bytes, Failure> {
        if descriptor.size > limit {
            return Err(Failure::too_large(what, limit));
        }
        let _slot = self.slot().await;
        self.first(endpoints, |endpoint| {
            self.read_blob(endpoint, descriptor, what)
        })
        .await
    }

    async fn read_blob(
        &self,
        endpoint: &Endpoint,
        descriptor: &Descriptor,
        what: &str,
    ) -> Result<Bytes, Failure> {
        let mut patience = self.http.patience(self.meter);
        loop {
            match self.read_blob_once(endpoint, descriptor, what).await {
                Err(failure) if failure.is_of_body() && !patience.is_over() => {
                    patience.pause(None).await;
                }
                result => return result,
            }
        }
    }

    async fn read_blob_once(
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

    /// What a host says a tag stands for: the digest, and the document where
    /// the digest could not be had without it.
    async fn look_up(
        &self,
        endpoint: &Endpoint,
        tag: &str,
    ) -> Result<(Digest, Option<Bytes>), Failure> {
        if let Some(digest) = self.head(endpoint, tag).await? {
            return Ok((digest, None));
        }
        let bytes = self.get_document(endpoint, tag).await?;
        // A page that is served for every address is no answer.
        Document::parse(&bytes)?;
        Ok((Digest::of(&bytes), Some(bytes)))
    }

    /// The digest behind a tag; none when the registry does not say it.
    async fn head(&self, endpoint: &Endpoint, tag: &str) -> Result<Option<Digest>, HttpError> {
        let response = self
            .request(Method::HEAD, endpoint, ("manifests", tag), None)
            .await?;
        match response.status() {
            StatusCode::OK => {}
            // Some registries and proxies know no HEAD.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => return Ok(None),
            _ => return Err(HttpError::refused(response, MANIFEST).await),
        }
        let digest = response.headers().get(DIGEST_HEADER);
        Ok(digest
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok()))
    }

    /// The document of a digest.
    async fn document(
        &self,
        endpoint: &Endpoint,
        digest: Digest,
        expected: Expected,
    ) -> Result<Bytes, Failure> {
        let bytes = self.get_document(endpoint, &digest.to_string()).await?;
        check(&bytes, expected, MANIFEST)?;
        Ok(bytes)
    }

    async fn get_document(&self, endpoint: &Endpoint, name: &str) -> Result<Bytes, Failure> {
        let mut patience = self.http.patience(self.meter);
        loop {
            match self.get_document_once(endpoint, name).await {
                Err(failure) if failure.is_of_body() && !patience.is_over() => {
                    patience.pause(None).await;
                }
                result => return result,
            }
        }
    }

    async fn get_document_once(&self, endpoint: &Endpoint, name: &str) -> Result<Bytes, Failure> {
        let response = self
            .request(Method::GET, endpoint, ("manifests", name), None)
            .await?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::refused(response, MANIFEST).await.into());
        }
        let served_as = response.headers().get(header::CONTENT_TYPE).cloned();
        let bytes = read_bounded(response, MAX_MANIFEST_BYTES, MANIFEST, self.meter).await?;
        // One that does not parse is refused where it is used, after its digest is checked.
        if let (Some(kind), Ok(document)) = (&served_as, Document::parse(&bytes)) {
            document.served_as(kind.to_str().unwrap_or_default())?;
        }
        Ok(bytes)
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

    /// One request to the registry; a challenge is answered once.
    async fn request(
        &self,
        method: Method,
        endpoint: &Endpoint,
        (kind, name): (&str, &str),
        resume: Option<&Resume>,
    ) -> Result<Response, HttpError> {
        let request = |authorization| Request {
            method: method.clone(),
            url: endpoint.url(kind, name),
            accept: (kind == "manifests").then_some(media_type::ACCEPT),
            authorization,
            access: endpoint.access().clone(),
            form: None,
            headers: resume.map(Resume::headers).unwrap_or_default(),
        };
        let exchange = Exchange {
            http: self.http,
            endpoint,
            meter: self.meter,
        };
        self.auth.send(exchange, request).await
    }

    fn endpoints(
        &self,
        reference: &OciReference,
        capability: Capability,
    ) -> Result<Vec<Endpoint>, Failure> {
        Endpoint::all(reference, capability, (self.http, &self.options.mirrors))
    }

    async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so this is always a permit.
        self.downloads.acquire().await.ok()
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

fn expectation(descriptor: &Descriptor) -> Expected {
    Expected {
        digest: Some(descriptor.digest),
        size: Some(descriptor.size),
        ..Expected::default()
    }
}

fn check(bytes: &[u8], expected: Expected, what: &str) -> Result<(), Failure> {
    let mut verifier = Verifier::new(expected);
    verifier
        .update(bytes)
        .and_then(|()| verifier.finish())
        .map(drop)
        .map_err(|mismatch| Failure::mismatch(what, mismatch))
}

fn config_name(config: &Descriptor) -> String {
    format!("the config (`{}`)", config.media_type.escape_debug())
}

/// How a layer is called in messages.
fn name(index: usize, layer: &Descriptor) -> String {
    format!("layer {index} (`{}`)", layer.media_type.escape_debug())
}
