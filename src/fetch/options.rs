//! How fetching behaves.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Limits and permissions of a [`Fetcher`](super::Fetcher).
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Hosts (`host` or `host:port`) that may be spoken to in plain HTTP,
    /// besides loopback hosts. They are reached directly, without a proxy.
    pub plain_http: Vec<String>,
    /// The largest component accepted, in bytes.
    pub max_component_bytes: u64,
    /// The largest bundled policy accepted, in bytes.
    pub max_policy_bytes: u64,
    /// How many downloads run at once.
    pub concurrency: usize,
    /// How long a connection may take to come up.
    pub connect_timeout: Duration,
    /// How long a server may stay silent; not a limit on the whole transfer.
    pub idle_timeout: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            plain_http: Vec::new(),
            max_component_bytes: 256 * MIB,
            max_policy_bytes: MIB,
            concurrency: 8,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
        }
    }
}
