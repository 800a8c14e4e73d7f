//! What requests cost.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use url::Url;

use super::host_and_port;

/// Counts what one fetch costs.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU32,
    retries: AtomicU32,
    bytes: AtomicU64,
    resumed: AtomicU64,
    hosts: Mutex<Vec<String>>,
}

impl Meter {
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Bytes of bodies that were received.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Of the bytes, those that continued a broken download.
    pub fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// The hosts (`host[:port]`) in the order in which they were first asked.
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

    /// Notes a host (`host[:port]`) that is about to be asked.
    pub(crate) fn note_host(&self, name: &str) {
        let mut hosts = self.hosts();
        if !hosts.iter().any(|known| known == name) {
            hosts.push(name.to_owned());
        }
    }

    fn hosts(&self) -> MutexGuard<'_, Vec<String>> {
        // A list of names is complete at any moment, so poison is ignored.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
