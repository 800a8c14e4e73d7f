//! What one fetch costs, and bodies that must keep a pace.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{HttpError, host_and_port};
use crate::fetch::{FetchOptions, Openness};

/// Counts what one fetch costs, knows which hosts failed it, and says how slow
/// its bodies may be.
#[derive(Debug)]
pub(in crate::fetch) struct Meter {
    requests: AtomicU32,
    retries: AtomicU32,
    bytes: AtomicU64,
    resumed: AtomicU64,
    hosts: Mutex<Vec<String>>,
    down: Mutex<BTreeSet<String>>,
    is_private: AtomicBool,
    /// Bytes per second that a body has on average, once it is past `grace`.
    min_speed: u64,
    grace: Duration,
    /// The longest that one transfer takes.
    pub limit: Duration,
}

impl Default for Meter {
    fn default() -> Self {
        Meter::new(&FetchOptions::default())
    }
}

impl Meter {
    pub fn new(options: &FetchOptions) -> Self {
        Meter {
            requests: AtomicU32::new(0),
            retries: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            hosts: Mutex::default(),
            down: Mutex::default(),
            is_private: AtomicBool::new(false),
            min_speed: options.min_speed,
            grace: options.idle_timeout,
            limit: options.transfer_timeout,
        }
    }

    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Of the bytes, those that continued a broken download.
    pub fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }

    /// The hosts (`host[:port]`) in the order they were first asked.
    pub fn hosts_tried(&self) -> Vec<String> {
        lock(&self.hosts).clone()
    }

    /// Whether all of it was open to anyone, so far.
    pub fn openness(&self) -> Openness {
        match self.is_private.load(Ordering::Relaxed) {
            true => Openness::Private,
            false => Openness::Public,
        }
    }

    /// Notes that credentials opened something.
    pub fn note_private(&self) {
        self.is_private.store(true, Ordering::Relaxed);
    }

    pub fn count_resumed(&self, bytes: u64) {
        self.resumed.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_request(&self, url: &Url) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.note_host(&host_and_port(url));
    }

    /// Notes a host (`host[:port]`) that is about to be asked.
    pub fn note_host(&self, name: &str) {
        let mut hosts = lock(&self.hosts);
        if !hosts.iter().any(|known| known == name) {
            hosts.push(name.to_owned());
        }
    }

    /// Notes a host that failed in a way that has nothing to do with what it
    /// was asked for.
    pub fn note_down(&self, name: &str) {
        lock(&self.down).insert(name.to_owned());
    }

    pub fn is_down(&self, name: &str) -> bool {
        lock(&self.down).contains(name)
    }
}

fn lock<T>(names: &Mutex<T>) -> MutexGuard<'_, T> {
    // Names are sound whoever panicked.
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A response's body, read piece by piece; one that drips is given up.
pub(in crate::fetch) struct Body<'a> {
    response: Response,
    meter: &'a Meter,
    started: Instant,
    bytes: u64,
}

impl<'a> Body<'a> {
    pub fn new(response: Response, meter: &'a Meter) -> Self {
        Body {
            response,
            meter,
            started: Instant::now(),
            bytes: 0,
        }
    }

    /// # Errors
    ///
    /// When the connection breaks, falls silent, or is too slow.
    pub async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let deadline = self.started + self.meter.limit;
        let chunk = match timeout_at(deadline, self.response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return Err(HttpError::body(self.response.url(), error)),
            Err(_) => return Err(HttpError::slow(self.response.url())),
        };
        if let Some(chunk) = &chunk {
            let length = chunk.len() as u64;
            self.meter.bytes.fetch_add(length, Ordering::Relaxed);
            self.bytes += length;
            self.check_pace()?;
        }
        Ok(chunk)
    }

    fn check_pace(&self) -> Result<(), HttpError> {
        let elapsed = self.started.elapsed();
        let due = u128::from(self.meter.min_speed) * elapsed.as_millis() / 1000;
        if elapsed > self.meter.grace && u128::from(self.bytes) < due {
            return Err(HttpError::slow(self.response.url()));
        }
        Ok(())
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        tracing::debug!(
            host = %host_and_port(self.response.url()),
            bytes = self.bytes,
            ms = self.started.elapsed().as_millis(),
            "body"
        );
    }
}

/// A whole body of at most `limit` bytes; `what` it is, for messages.
pub(in crate::fetch) async fn read_bounded(
    response: Response,
    limit: usize,
    what: &'static str,
    meter: &Meter,
) -> Result<Bytes, HttpError> {
    let mut body = Body::new(response, meter);
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await? {
        if bytes.len() + chunk.len() > limit {
            return Err(HttpError::TooLarge { what, limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}
