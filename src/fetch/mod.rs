//! Downloads components from files, web servers, OCI registries and OCI image
//! layouts into a staging directory.
//!
//! The digest and size of a blob are checked while it streams to disk; this
//! cannot be disabled. Memory use does not depend on the size of the component.
//! Dropping a future cancels its transfer.

mod content;
mod destination;
mod document;
mod download;
mod error;
mod file;
mod https;
mod kept;
mod layout;
mod layout_error;
mod media_type;
mod options;
mod outcome;
mod package;
mod parts;
mod plan;
mod preamble;
mod progress;
mod queue;
mod remote;
mod sink;
mod slots;
#[cfg(test)]
mod tests;
mod unpack;
mod wasm_config;

use std::path::Path;
use std::time::{Duration, Instant};

pub use document::Renewed;
pub use error::{ErrorKind, FetchError};
pub use layout_error::LayoutError;
pub use options::FetchOptions;
pub use outcome::{Artifact, Blob, Fetched, Identity, KeptBlob, Receipt, Resolved};
pub use parts::clear_parts;
pub use plan::InvalidArtifact;
pub use progress::{Progress, Silent, Step};
pub use unpack::UnpackError;
pub use wasm_config::{ConfigTarget, WasmConfig};

use crate::digest::Expected;
use crate::net::{self, Network};
use crate::reference::{OciReference, Reference};
use crate::registry::{self, Capability, Transfer};
use content::{Assembly, assemble};
use destination::Destination;
use error::Failed;
use https::WebFile;
use layout::Layout;
use outcome::Parts;
use remote::Artifacts;
use slots::Slots;

/// How long to wait for the list of existing tags when the requested one is missing.
const TAGS_WITHIN: Duration = Duration::from_secs(5);

/// Fetches components. One for the whole program: it bounds how many downloads
/// run at once, and keeps connections and registry tokens.
pub struct Fetcher {
    options: FetchOptions,
    client: registry::Client,
    downloads: Slots,
}

impl Fetcher {
    /// Does no I/O: the HTTP client and its certificates are loaded at first
    /// use.
    pub fn new(options: FetchOptions) -> Self {
        let http = net::Client::new(options.net.clone());
        Fetcher {
            client: registry::Client::new(http, options.registry.clone()),
            downloads: Slots::new(options.concurrency),
            options,
        }
    }

    /// The registry client.
    pub fn registries(&self) -> &registry::Client {
        &self.client
    }

    /// Resolves the reference to the identity of its current content: one HEAD
    /// for a tag or URL, a `stat` for a file, no request for a digest.
    ///
    /// # Errors
    ///
    /// If the source cannot be reached or does not have the reference.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, FetchError> {
        self.resolve_again(reference, None).await
    }

    /// Like [`resolve`](Self::resolve), with the identity to which the
    /// reference resolved before: a web server is sent a conditional request.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub async fn resolve_again(
        &self,
        reference: &Reference,
        known: Option<&Identity>,
    ) -> Result<Resolved, FetchError> {
        let started = Instant::now();
        let reference = &self.locate(reference).await?;
        let transfer = Transfer::default();
        // A digest needs no request; the caller checks whether it is installed.
        let asks = match reference {
            Reference::Oci(oci) => oci.digest().is_none(),
            Reference::Https(_) => true,
            Reference::File(_) | Reference::Layout(_) | Reference::Package(_) => false,
        };
        if asks {
            self.online(reference)?;
        }
        let found = match reference {
            Reference::Oci(oci) => self.resolve_tag(oci, &transfer).await,
            Reference::Https(url) => {
                let file = self.web_file(url, &transfer);
                file.resolve(known).await.map_err(Failed::from)
            }
            Reference::File(path) => file::resolve(path).await.map_err(Failed::from),
            Reference::Layout(layout) => layout::resolve(layout).await.map_err(Failed::from),
            Reference::Package(_) => unreachable!("its artifact was located"),
        };
        let (identity, document) = match (found, reference) {
            (Ok(found), _) => found,
            (Err(failed), Reference::Oci(oci)) => {
                let error = failed.of(reference);
                return Err(match error.is_absent() {
                    true => error.with_tags(self.tags(oci, &transfer).await),
                    false => error,
                });
            }
            (Err(failed), _) => return Err(failed.of(reference)),
        };
        Ok(Resolved {
            reference: reference.clone(),
            identity,
            document,
            pin: reference.content_digest(),
            transfer,
            elapsed: started.elapsed(),
        })
    }

    /// Resolves a tag to a digest. All later requests use the digest.
    async fn resolve_tag(
        &self,
        reference: &OciReference,
        transfer: &Transfer,
    ) -> Result<(Identity, Option<bytes::Bytes>), Failed> {
        let (manifest_digest, document) = match reference.digest() {
            Some(digest) => (digest, None),
            None => {
                let tag = reference.tag().unwrap_or_default();
                let resolve = Capability::Resolve;
                let repository = self.client.repository(reference, resolve, transfer)?;
                let asked = repository.first(async |remote| remote.look_up(tag).await);
                asked.await?
            }
        };
        Ok((Identity::Oci { manifest_digest }, document))
    }

    /// The tags of a repository that lacks the requested one; empty if the registry does not list
    /// them within [`TAGS_WITHIN`].
    async fn tags(&self, reference: &OciReference, transfer: &Transfer) -> Vec<String> {
        let resolve = Capability::Resolve;
        let Ok(repository) = self.client.repository(reference, resolve, transfer) else {
            return Vec::new();
        };
        let asked = repository.first(async |remote| remote.tags().await);
        match tokio::time::timeout(TAGS_WITHIN, asked).await {
            Ok(Ok(tags)) => tags,
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }

    /// Brings the component into `staging`, an existing directory of the
    /// caller's, who also removes it.
    ///
    /// # Errors
    ///
    /// If the transfer fails, a blob differs from its descriptor, or the file
    /// does not start like a component.
    pub async fn fetch(
        &self,
        resolved: Resolved,
        staging: &Path,
        progress: &dyn Progress,
    ) -> Result<Fetched, FetchError> {
        let started = Instant::now();
        if matches!(resolved.reference, Reference::Oci(_) | Reference::Https(_)) {
            self.online(&resolved.reference)?;
        }
        progress.step(Step::Fetching);
        let target = Destination::new(staging.join("component.wasm"));
        let parts = match self.transfer(&resolved, &target, progress).await {
            Ok(parts) => parts,
            Err(failed) => {
                // Another blob of the artifact may fail while the component is
                // being downloaded, or afterwards.
                target.discard().await;
                return Err(failed.of(&resolved.reference));
            }
        };
        let elapsed = resolved.elapsed + started.elapsed();
        let fetch_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Ok(finish(resolved, parts, fetch_ms))
    }

    async fn transfer(
        &self,
        resolved: &Resolved,
        target: &Destination,
        progress: &dyn Progress,
    ) -> Result<Parts, Failed> {
        let transfer = &resolved.transfer;
        let limit = self.options.max_component_bytes;
        let assembly = |digest| Assembly {
            digest,
            document: resolved.document.clone(),
            target: target.clone(),
            max_component_bytes: limit,
            max_policy_bytes: self.options.max_policy_bytes,
            downloads: &self.downloads,
            progress,
        };
        match (&resolved.reference, &resolved.identity) {
            (Reference::Oci(oci), Identity::Oci { manifest_digest }) => {
                let artifacts = Artifacts {
                    repository: self.client.repository(oci, Capability::Pull, transfer)?,
                    http: self.client.http(),
                    meter: &transfer.meter,
                    parts: self.options.parts_of(target.path()),
                };
                assemble(&artifacts, assembly(*manifest_digest)).await
            }
            (Reference::Layout(layout), Identity::Oci { manifest_digest }) => {
                let layout = Layout::open(layout.path()).await?;
                assemble(&layout, assembly(*manifest_digest)).await
            }
            (Reference::Https(url), _) => {
                let _slot = self.downloads.take().await;
                let target = https::Target {
                    destination: target.clone(),
                    expected: Expected {
                        digest: resolved.pin,
                        limit,
                        ..Expected::default()
                    },
                    parts: self.options.parts_of(target.path()),
                    progress,
                };
                Ok(self.web_file(url, transfer).fetch(target).await?)
            }
            (Reference::File(path), _) => {
                let _slot = self.downloads.take().await;
                Ok(file::fetch(path, target, limit, progress).await?)
            }
            // Only `resolve` constructs a `Resolved`, with the identity for its
            // kind.
            (Reference::Oci(_) | Reference::Layout(_) | Reference::Package(_), _) => {
                unreachable!("a registry or layout resolves to a digest")
            }
        }
    }

    /// Fetches a small file from a web server; `None` if there is no such file.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or the file is larger than `limit` bytes.
    pub(crate) async fn small_file(
        &self,
        url: &url::Url,
        limit: usize,
    ) -> Result<Option<String>, net::Error> {
        let transfer = Transfer::default();
        let request = net::Request::new(http::Method::GET, url.clone());
        let response = self.client.http().send(request, &transfer.meter).await?;
        match response.status() {
            http::StatusCode::OK => {
                let bytes = response.bytes(limit, "the file", &transfer.meter).await?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            http::StatusCode::NOT_FOUND | http::StatusCode::GONE => Ok(None),
            _ => Err(response.refused("the file").await),
        }
    }

    fn web_file<'a>(&'a self, url: &'a url::Url, transfer: &'a Transfer) -> WebFile<'a> {
        WebFile {
            http: self.client.http(),
            url,
            meter: &transfer.meter,
        }
    }

    /// Fails early if network access is disabled.
    fn online(&self, reference: &Reference) -> Result<(), FetchError> {
        match self.options.net.network {
            Network::On => Ok(()),
            Network::Off => Err(Failed::from(ErrorKind::Offline).of(reference)),
        }
    }
}

fn finish(resolved: Resolved, parts: Parts, fetch_ms: u64) -> Fetched {
    let Resolved {
        reference,
        transfer,
        ..
    } = resolved;
    let source_host = match &reference {
        Reference::Oci(oci) => Some(oci.registry().to_owned()),
        Reference::Https(url) => url.host_str().map(str::to_owned),
        Reference::File(_) | Reference::Layout(_) | Reference::Package(_) => None,
    };
    let meter = &transfer.meter;
    let receipt = Receipt {
        source_host,
        hosts_tried: meter.hosts_tried(),
        manifest_digest: parts.artifact.as_ref().map(|a| a.manifest_digest),
        content_digest: parts.component.digest,
        bytes_downloaded: meter.bytes(),
        requests: meter.requests(),
        retries: meter.retries(),
        bytes_resumed: meter.resumed(),
        openness: transfer.visibility(),
        fetch_ms,
    };
    Fetched {
        reference,
        identity: parts.identity,
        component: parts.component,
        artifact: parts.artifact,
        policy: parts.policy,
        receipt,
    }
}
