//! Settings of the HTTP client.

use std::path::PathBuf;
use std::time::Duration;

use super::Authority;

/// Whether network access is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    #[default]
    On,
    /// No requests; only files and OCI image layouts can be loaded.
    Off,
}

/// Limits and permissions of a [`Client`](super::Client).
#[derive(Debug, Clone)]
pub struct Options {
    pub network: Network,
    /// Hosts to which plain HTTP is allowed, besides loopback hosts.
    pub plain_http: Vec<Authority>,
    /// Time limit for establishing a connection.
    pub connect_timeout: Duration,
    /// Time limit for waiting for the next bytes of a response. Not a limit on
    /// the whole transfer.
    pub idle_timeout: Duration,
    /// Time limit for one transfer, including pauses and retries.
    pub transfer_timeout: Duration,
    /// The slowest transfer accepted, in bytes per second on average; checked
    /// once a body takes longer than `idle_timeout`.
    pub min_speed: u64,
    /// Retries of one request, or of one transfer without progress.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each further one.
    pub retry_base: Duration,
    /// The longest pause; also caps the server's `Retry-After`.
    pub retry_max: Duration,
    /// PEM files of certificate authorities that are trusted besides the
    /// system's.
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
