//! How fetching behaves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::credentials::CredentialOptions;
use super::hosts::{Authority, Mirrors};

const MIB: u64 = 1024 * 1024;

/// Whether hosts may be asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    #[default]
    On,
    /// Files and OCI image layouts only.
    Off,
}

/// Limits and permissions of a [`Fetcher`](super::Fetcher).
#[derive(Debug, Clone)]
pub struct FetchOptions {
    pub network: Network,
    /// Hosts that may be spoken to in plain HTTP, besides loopback hosts.
    pub plain_http: Vec<Authority>,
    /// Which hosts are asked for the content of registries, and in which order.
    pub mirrors: Mirrors,
    /// The largest component accepted, in bytes.
    pub max_component_bytes: u64,
    /// The largest bundled policy accepted, in bytes.
    pub max_policy_bytes: u64,
    /// Where credentials for registries are looked for.
    pub credentials: CredentialOptions,
    /// How many downloads run at once.
    pub concurrency: usize,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long a server may stay silent; not a limit on the whole transfer.
    pub idle_timeout: Duration,
    /// How long one transfer may take, pauses and retries included.
    pub transfer_timeout: Duration,
    /// The slowest transfer accepted, in bytes per second on average; looked
    /// at once a body takes longer than `idle_timeout`.
    pub min_speed: u64,
    /// How often a request, or a download that gets no further, is tried again.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each further one.
    pub retry_base: Duration,
    /// The longest pause, whatever the server asks for.
    pub retry_max: Duration,
    /// PEM files of certificate authorities to trust besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// Hosts whose certificates are not checked; each use is warned of.
    pub insecure: Vec<Authority>,
    /// A directory for parts of downloads that broke off, which later ones
    /// continue. Used for staging directories beside it; without one, an
    /// interrupted download starts anew.
    pub parts: Option<PathBuf>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            network: Network::On,
            plain_http: Vec::new(),
            mirrors: Mirrors::default(),
            max_component_bytes: 256 * MIB,
            max_policy_bytes: MIB,
            credentials: CredentialOptions::default(),
            concurrency: 8,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            transfer_timeout: Duration::from_secs(60 * 60),
            min_speed: 1024,
            retries: 3,
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(60),
            ca_files: Vec::new(),
            insecure: Vec::new(),
            parts: None,
        }
    }
}

impl FetchOptions {
    /// Where the part of this staged file is kept: on the same file system.
    pub(super) fn parts_of(&self, staged: &Path) -> Option<&Path> {
        let parts = self.parts.as_deref()?;
        let beside = staged.parent()?.parent()?;
        (parts.parent() == Some(beside)).then_some(parts)
    }
}
