//! Components from OCI registries: a client of the pull side of the
//! [distribution specification][spec], which holds every document and blob to
//! its digest and size, and bounds everything it keeps in memory.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod auth;
mod blobs;
mod challenge;
mod documents;
mod endpoint;
mod fallback;
mod kept;
pub(super) mod layout;
mod layout_error;
mod login;
mod manifest;
mod media_type;
mod reach;
mod realm;
#[cfg(test)]
mod tests;
mod token;

use std::path::PathBuf;

use bytes::Bytes;
use http::Method;
use reqwest::Response;

pub use auth::Auth;
pub use layout_error::LayoutError;
pub(super) use login::check_login;
pub use login::{Checked, LoginError};
pub use manifest::{ConfigTarget, InvalidManifest, WasmConfig};
pub use reach::Reached;
pub(super) use reach::reach;

use super::error::{Failed, Failure};
use super::hosts::Capability;
use super::http::{Http, HttpError, Meter, Persistence, Request, Resume};
use super::options::FetchOptions;
use super::outcome::{Artifact, Identity, Parts};
use super::progress::Progress;
use super::slots::Slots;
use crate::digest::{Digest, Expected};
use crate::reference::OciReference;
use auth::Exchange;
use endpoint::Endpoint;
use manifest::Descriptor;

/// Speaks to registries on behalf of one fetch.
pub struct Registry<'a> {
    pub(super) http: &'a Http,
    pub(super) auth: &'a Auth,
    pub(super) options: &'a FetchOptions,
    pub(super) downloads: &'a Slots,
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
    ) -> Result<(Identity, Option<Bytes>), Failed> {
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
    ) -> Result<Parts, Failed> {
        let endpoints = self.endpoints(reference, Capability::Pull)?;
        let (manifest_digest, manifest, mut kept) = self
            .manifest(&endpoints, pull.digest, pull.manifest)
            .await?;
        let plan = manifest.plan()?;
        let diff_id = match plan.packed.is_some() {
            true => self.diff_id(&endpoints, &plan).await?,
            false => None,
        };
        let unpack = plan.unpack(diff_id, self.options.max_component_bytes);
        let to = (pull.target, unpack, pull.progress);
        let (component, policy, config, others) = tokio::try_join!(
            self.component(&endpoints, plan.component, to),
            self.policy(&endpoints, plan.policy),
            self.config(&endpoints, plan.config),
            self.others(&endpoints, &manifest),
        )?;
        let (config, config_bytes) = config.unzip();
        let policy_bytes = policy.clone().map(Bytes::from);
        kept.extend(config_bytes.into_iter().chain(policy_bytes).map(kept::blob));
        let kept = others.map(|others| {
            kept.extend(others);
            kept
        });
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
                kept,
            }),
            policy,
        })
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
            authorization,
            accept: (kind == "manifests").then_some(media_type::ACCEPT),
            access: endpoint.access().clone(),
            persistence: endpoint.persistence(),
            headers: resume.map(Resume::headers).unwrap_or_default(),
            ..Request::new(method.clone(), endpoint.url(kind, name))
        };
        self.auth.send(self.exchange(endpoint), request).await
    }

    /// Asks for a manifest once more, as who was answered with `earlier`.
    async fn repeat(
        &self,
        method: Method,
        endpoint: &Endpoint,
        name: &str,
        earlier: &Response,
    ) -> Result<Response, HttpError> {
        let request = Request {
            accept: Some(media_type::ACCEPT),
            access: endpoint.access().clone(),
            persistence: Persistence::Once,
            ..Request::new(method, endpoint.url("manifests", name))
        };
        auth::repeat(self.exchange(endpoint), request, earlier).await
    }

    fn exchange<'a>(&'a self, endpoint: &'a Endpoint) -> Exchange<'a> {
        Exchange {
            http: self.http,
            endpoint,
            meter: self.meter,
        }
    }

    fn endpoints(
        &self,
        reference: &OciReference,
        capability: Capability,
    ) -> Result<Vec<Endpoint>, Failure> {
        Endpoint::all(reference, capability, (self.http, &self.options.mirrors))
    }
}

fn expectation(descriptor: &Descriptor) -> Expected {
    Expected {
        digest: Some(descriptor.digest),
        size: Some(descriptor.size),
        ..Expected::default()
    }
}
