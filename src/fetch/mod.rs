//! Bytes in: from files, web servers, OCI registries and OCI image layouts.
//!
//! Whatever a source promises of a blob (digest, size) is checked while the
//! blob streams to disk, and cannot be switched off; nothing is held in memory
//! that grows with the artifact. Dropping a future stops its transfer.

mod credentials;
mod download;
mod error;
mod file;
mod hosts;
mod http;
mod https;
mod oci;
mod options;
mod outcome;
mod parts;
mod preamble;
mod private_dir;
mod progress;
mod queue;
mod sink;
mod slots;
mod unpack;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;

pub use credentials::{
    Credential, CredentialOptions, CredentialSource, Given, HelperError, Keyring, LoginFile,
    LoginFileError, Place, Removed, Secret,
};
pub use error::{Failure, FetchError};
pub use hosts::{
    Access, ApiPath, Authority, Capability, Certificate, DialTimeout, Host, InvalidHosts, Mirrors,
    RegistryName,
};
pub use http::HttpError;
pub use oci::{
    Checked, ConfigTarget, InvalidManifest, LayoutError, LoginError, Reached, WasmConfig,
};
pub use options::{FetchOptions, Network};
pub use outcome::{Artifact, Blob, Fetched, Identity, KeptBlob, Openness, Receipt, Resolved};
pub use parts::clear_parts;
pub use progress::{Progress, Silent, Step};
pub use unpack::UnpackError;

use crate::digest::{Digest, Expected};
use crate::reference::Reference;
use error::Failed;
use http::{Http, Meter};
use outcome::Parts;
use private_dir::private_dir;
use slots::Slots;

/// What is to be transferred.
type Source<'a> = (&'a Reference, Identity, Option<Bytes>, Option<Digest>);

/// Fetches components. One for the whole program: it bounds how many downloads
/// run at once, and keeps connections and registry tokens.
pub struct Fetcher {
    options: FetchOptions,
    http: Http,
    auth: oci::Auth,
    downloads: Slots,
}

impl Fetcher {
    /// Costs nothing: the HTTP client and its certificates are made at first use.
    pub fn new(options: FetchOptions) -> Self {
        Fetcher {
            http: Http::new(&options),
            auth: oci::Auth::new(options.credentials.clone()),
            downloads: Slots::new(options.concurrency),
            options,
        }
    }

    /// Finds out what the reference stands for now: one HEAD for a tag or a
    /// web address, a stat for a file, nothing for a digest.
    ///
    /// # Errors
    ///
    /// When the source cannot be reached, or does not know the reference.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, FetchError> {
        self.resolve_again(reference, None).await
    }

    /// As [`resolve`](Self::resolve), where the reference stood for `known`
    /// before: a web server is asked only for what is new since.
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
        let meter = Meter::new(&self.options);
        // A digest needs no looking up; whether it is installed is for the caller to see.
        let asks = match reference {
            Reference::Oci(oci) => oci.digest().is_none(),
            Reference::Https(_) => true,
            Reference::File(_) | Reference::Layout(_) => false,
        };
        if asks {
            self.online(reference)?;
        }
        let found = match reference {
            Reference::Oci(oci) => self.oci(&meter).resolve(oci).await,
            Reference::Https(url) => {
                let found = https::resolve(&self.http, url, (known, &meter)).await;
                found.map_err(Failed::from)
            }
            Reference::File(path) => file::resolve(path).await.map_err(Failed::from),
            Reference::Layout(layout) => oci::layout::resolve(layout).await.map_err(Failed::from),
        };
        let (identity, manifest) = found.map_err(|failed| failed.of(reference))?;
        Ok(Resolved {
            reference: reference.clone(),
            identity,
            manifest,
            pin: reference.content_digest(),
            meter,
            elapsed: started.elapsed(),
        })
    }

    /// Brings the component into `staging`, an existing directory of the
    /// caller's, who also removes it.
    ///
    /// # Errors
    ///
    /// When the transfer fails, when a blob differs from what its descriptor
    /// promises, or when the bytes do not start like a component.
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
        let target = staging.join("component.wasm");
        let Resolved {
            reference,
            identity,
            manifest,
            pin,
            meter,
            elapsed,
        } = resolved;
        let source = (&reference, identity, manifest, pin);
        let parts = match self.transfer(source, &target, (&meter, progress)).await {
            Ok(parts) => parts,
            Err(failed) => {
                // Another blob of the artifact may fail after the component has
                // arrived. What cannot be removed goes with the staging directory.
                let _ = tokio::fs::remove_file(target).await;
                return Err(failed.of(&reference));
            }
        };
        let fetch_ms = u64::try_from((elapsed + started.elapsed()).as_millis()).unwrap_or(u64::MAX);
        Ok(finish(reference, parts, &meter, fetch_ms))
    }

    async fn transfer(
        &self,
        (reference, identity, manifest, pin): Source<'_>,
        target: &Path,
        (meter, progress): (&Meter, &dyn Progress),
    ) -> Result<Parts, Failed> {
        let target = target.to_owned();
        let limit = self.options.max_component_bytes;
        match (reference, identity) {
            (Reference::Oci(oci), Identity::Oci { manifest_digest }) => {
                let pull = oci::Pull {
                    digest: manifest_digest,
                    manifest,
                    target,
                    progress,
                };
                self.oci(meter).pull(oci, pull).await
            }
            (Reference::Https(url), _) => {
                let _slot = self.downloads.take().await;
                let expected = Expected {
                    digest: pin,
                    limit,
                    ..Expected::default()
                };
                let parts = self.options.parts_of(&target);
                let to = (target.clone(), expected, parts);
                Ok(https::fetch(&self.http, url, to, (meter, progress)).await?)
            }
            (Reference::File(path), _) => {
                let _slot = self.downloads.take().await;
                Ok(file::fetch(path, target, limit, progress).await?)
            }
            (Reference::Layout(layout), Identity::Oci { manifest_digest }) => {
                let _slot = self.downloads.take().await;
                let pull = oci::layout::Pull {
                    digest: manifest_digest,
                    target,
                    limits: (limit, self.options.max_policy_bytes),
                    progress,
                };
                Ok(oci::layout::pull(layout, pull).await?)
            }
            // `resolve` alone makes `Resolved`, and gives each kind its own identity.
            (Reference::Oci(_) | Reference::Layout(_), _) => {
                unreachable!("a registry or layout resolves to a digest")
            }
        }
    }

    /// Says at once that the network is off, where it is.
    fn online(&self, reference: &Reference) -> Result<(), FetchError> {
        match self.options.network {
            Network::On => Ok(()),
            Network::Off => Err(Failed::from(Failure::Offline).of(reference)),
        }
    }

    /// Asks a registry (`host[:port]`) whether it accepts these credentials.
    ///
    /// # Errors
    ///
    /// When it refuses them, or cannot be reached.
    pub async fn check_login(
        &self,
        registry: &str,
        username: &str,
        secret: &Secret,
    ) -> Result<Checked, LoginError> {
        let mirrors = &self.options.mirrors;
        oci::check_login((&self.http, mirrors), registry, (username, secret)).await
    }

    /// Asks a registry (`host[:port]`) for a sign of life.
    ///
    /// # Errors
    ///
    /// When it gives none.
    pub async fn reach(&self, registry: &str) -> Result<Reached, LoginError> {
        oci::reach((&self.http, &self.options.mirrors), registry).await
    }

    /// The registries for which other hosts are configured.
    pub fn mirrored_registries(&self) -> impl Iterator<Item = String> {
        let names = self.options.mirrors.hosts.keys();
        names.filter_map(|name| Some(name.registry()?.to_owned()))
    }

    /// The files that may hold credentials, and how many registries each has
    /// any for; the errors tell nothing of what is in them.
    pub fn credential_files(&self) -> Vec<(PathBuf, io::Result<usize>)> {
        credentials::files(&self.options.credentials)
    }

    fn oci<'a>(&'a self, meter: &'a Meter) -> oci::Registry<'a> {
        oci::Registry {
            http: &self.http,
            auth: &self.auth,
            options: &self.options,
            downloads: &self.downloads,
            meter,
        }
    }
}

fn finish(reference: Reference, parts: Parts, meter: &Meter, fetch_ms: u64) -> Fetched {
    let source_host = match &reference {
        Reference::Oci(oci) => Some(oci.registry().to_owned()),
        Reference::Https(url) => url.host_str().map(str::to_owned),
        Reference::File(_) | Reference::Layout(_) => None,
    };
    let receipt = Receipt {
        source_host,
        hosts_tried: meter.hosts_tried(),
        manifest_digest: parts.artifact.as_ref().map(|a| a.manifest_digest),
        content_digest: parts.component.digest,
        bytes_downloaded: meter.bytes(),
        requests: meter.requests(),
        retries: meter.retries(),
        bytes_resumed: meter.resumed(),
        openness: meter.openness(),
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
