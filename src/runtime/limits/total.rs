//! Limits the memory of all calls together.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// Assumed memory of the machine, in bytes, where the system does not report it.
const FALLBACK: u64 = 4 << 30;

/// Least and usual bytes that are set aside for a call's result, the latter while there is room.
const RESULT_LEAST: u64 = 2 << 20;
const RESULT_USUAL: u64 = 64 << 20;
/// A result that may be larger gets the memory left for results divided by this number.
const RESULT_PART: u64 = 8;

/// Least bytes given back at once that wake waiters.
const MUCH: u64 = 1 << 20;

/// The bytes that all work for clients may take together: arguments, instances, what
/// the host keeps for them, and results.
#[derive(Debug)]
pub struct TotalMemory {
    limit: u64,
    used: AtomicU64,
    /// The part of `used` that is set aside for results.
    set_aside: AtomicU64,
    much_freed: Notify,
}

/// Bytes taken from a [`TotalMemory`]; dropping this gives them back.
#[derive(Debug)]
pub struct MemoryShare {
    total: Arc<TotalMemory>,
    bytes: u64,
}

/// Bytes set aside for the result of a call.
#[derive(Debug)]
pub(in crate::runtime) struct SetAside(MemoryShare);

impl TotalMemory {
    /// `limit` in bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(TotalMemory {
            limit,
            used: AtomicU64::new(0),
            set_aside: AtomicU64::new(0),
            much_freed: Notify::new(),
        })
    }

    /// Half of the memory that this process may use on this machine, but enough for one call.
    pub fn of_this_machine(one_call: u64) -> Arc<Self> {
        static HALF: OnceLock<u64> = OnceLock::new();
        let half = *HALF.get_or_init(|| machine_memory().map_or(FALLBACK, |bytes| bytes / 2));
        TotalMemory::new(half.max(one_call))
    }

    /// Returns the limit, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns the bytes taken now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Waits until a megabyte or more is given back at once.
    pub async fn much_freed(&self) {
        self.much_freed.notified().await;
    }

    /// Returns an empty share.
    pub fn share(self: &Arc<Self>) -> MemoryShare {
        MemoryShare {
            total: Arc::clone(self),
            bytes: 0,
        }
    }

    /// Sets memory aside for a result of at most `most` bytes. While half of the
    /// memory has room, every call gets the usual amount; after that each gets less,
    /// so that many calls in flight leave room for their instances.
    ///
    /// # Errors
    ///
    /// The limit, when not even the least amount is left.
    pub(in crate::runtime) fn set_aside(self: &Arc<Self>, most: u64) -> Result<SetAside, u64> {
        let mut share = self.share();
        if most > 0 {
            let left = (self.limit / 2).saturating_sub(self.set_aside.load(Ordering::Relaxed));
            let fair = (left / RESULT_PART).max(RESULT_USUAL.min(left / 2));
            let free = self.limit.saturating_sub(self.used()) / 2;
            let bytes = fair.min(free).max(RESULT_LEAST).min(most);
            share.take(bytes)?;
            self.set_aside.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(SetAside(share))
    }

    fn take(&self, bytes: u64) -> Result<(), u64> {
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|used| {
            let limit = self.limit;
            tracing::debug!(
                asked = bytes,
                used,
                limit,
                "the server's memory is taken (`limits.total_memory`)"
            );
            limit
        })
    }
}

impl MemoryShare {
    /// Takes this many bytes more.
    ///
    /// # Errors
    ///
    /// The limit of all calls together, when fewer are left.
    pub fn take(&mut self, bytes: u64) -> Result<(), u64> {
        self.total.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives up to this many bytes back.
    pub fn give_back(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.total.used.fetch_sub(bytes, Ordering::Relaxed);
        if bytes >= MUCH {
            self.total.much_freed.notify_one();
        }
    }

    /// Bytes in this share.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

impl SetAside {
    /// Returns the bytes set aside.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        let bytes = self.bytes();
        self.0.total.set_aside.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Returns the memory of the machine, or of the container this process runs in, in bytes; `None`
/// where the system does not report it.
pub fn machine_memory() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let physical = info.lines().find_map(|line| {
        let kib = line.strip_prefix("MemTotal:")?.split_whitespace().next()?;
        kib.parse::<u64>().ok()?.checked_mul(1024)
    })?;
    // The file says `max` when there is no limit, which does not parse.
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse().ok());
    Some(container.map_or(physical, |limit: u64| limit.min(physical)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_until_it_is_given_back() {
        let total = TotalMemory::new(10);
        let mut share = total.share();
        assert_eq!(share.take(7), Ok(()));
        assert_eq!(total.share().take(4), Err(10));
        assert_eq!(total.share().take(u64::MAX), Err(10));
        share.give_back(2);
        assert_eq!((share.bytes(), total.used()), (5, 5));
        drop(share);
        assert_eq!(total.share().take(10), Ok(()));
        assert_eq!(total.used(), 0);
    }

    #[test]
    fn one_call_always_fits() {
        let total = TotalMemory::of_this_machine(1 << 50);
        assert!(total.share().take(1 << 50).is_ok());
    }

    #[test]
    fn results_leave_half_of_the_memory_to_instances() {
        let total = TotalMemory::new(1 << 30);
        let results: Vec<_> = (0..64)
            .map(|_| total.set_aside(RESULT_USUAL).unwrap())
            .collect();
        let bytes: Vec<u64> = results.iter().map(SetAside::bytes).collect();
        assert_eq!(bytes[..4], [RESULT_USUAL; 4], "{bytes:?}");
        assert!(bytes.is_sorted_by(|a, b| a >= b), "{bytes:?}");
        assert_eq!(bytes[63], RESULT_LEAST);
        let most = (1 << 29) + 64 * RESULT_LEAST;
        assert!(total.used() <= most, "{}", total.used());
        drop(results);
        assert_eq!(total.used(), 0);
        assert_eq!(total.set_aside.load(Ordering::Relaxed), 0);
    }
}
