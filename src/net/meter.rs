//! Counters of requests, retries and bytes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use url::Url;

use super::host_and_port;

/// Counters of one fetch.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU32,
    retries: AtomicU32,
    bytes: AtomicU64,
    resumed: AtomicU64,
    hosts: Mutex<Vec<String>>,
}

impl Meter {
    /// HTTP requests sent, including redirects and retries.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Retries of requests and transfers.
    pub fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Bytes of response bodies received.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The part of [`bytes`](Self::bytes) that came in 206 responses and
    /// resumed an interrupted download.
    pub fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// The hosts (`host[:port]`) in the order of the first request to each.
    pub fn hosts_tried(&self) -> Vec<String> {
        self.hosts().clone()
    }

    pub(crate) fn count_resumed(&self, bytes: u64) {
        self.resumed.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn count_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_request(&self, url: &Url) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.note_host(&host_and_port(url));
    }

    /// Records a host (`host[:port]`) before a request to it.
    pub(crate) fn note_host(&self, name: &str) {
        let mut hosts = self.hosts();
        if !hosts.iter().any(|known| known == name) {
            hosts.push(name.to_owned());
        }
    }

    fn hosts(&self) -> MutexGuard<'_, Vec<String>> {
        // A panic leaves the list consistent, so ignore poisoning.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
