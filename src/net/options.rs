//! How hosts are spoken to.

use std::path::PathBuf;
use std::time::Duration;

use super::Authority;

/// Whether hosts may be asked at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    #[default]
    On,
    /// Files and OCI image layouts only.
    Off,
}

/// Limits and permissions of a [`Client`](super::Client).
#[derive(Debug, Clone)]
pub struct Options {
    pub network: Network,
    /// Hosts that may be spoken to in plain HTTP, besides loopback hosts.
    pub plain_http: Vec<Authority>,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long a server may stay silent; not a limit on the whole transfer.
    pub idle_timeout: Duration,
    /// How long one transfer may take, pauses and retries included.
    pub transfer_timeout: Duration,
    /// The slowest transfer accepted, in bytes per second on average; checked
    /// once a body takes longer than `idle_timeout`.
    pub min_speed: u64,
    /// How often a request, or a transfer that gets no further, is tried again.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each further one.
    pub retry_base: Duration,
    /// The longest pause, whatever the server asks for.
    pub retry_max: Duration,
    /// PEM files of certificate authorities to trust besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// Hosts whose certificates are not checked; each use logs a warning.
    pub insecure: Vec<Authority>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            network: Network::On,
            plain_http: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            transfer_timeout: Duration::from_secs(60 * 60),
            min_speed: 1024,
            retries: 3,
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(60),
            ca_files: Vec::new(),
            insecure: Vec::new(),
        }
    }
}
