//! The memory of all instances together.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes, where the machine does not say how many it has.
const FALLBACK: u64 = 4 << 30;

/// Bytes that the instances of a runtime may have, and have.
#[derive(Debug)]
pub(in crate::runtime) struct Total {
    limit: u64,
    used: AtomicU64,
}

impl Total {
    /// `limit` in bytes.
    pub fn new(limit: u64) -> Self {
        Total {
            limit,
            used: AtomicU64::new(0),
        }
    }

    /// Half of what this process may have of the machine, but enough for one call.
    pub fn of_this_machine(one_call: u64) -> Self {
        static HALF: OnceLock<u64> = OnceLock::new();
        let half = *HALF.get_or_init(|| machine_memory().map_or(FALLBACK, |bytes| bytes / 2));
        Total::new(half.max(one_call))
    }

    /// Takes so many bytes, or says what the limit is.
    pub fn take(&self, bytes: u64) -> Result<(), u64> {
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map(drop)
            .map_err(|_| self.limit)
    }

    pub fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of memory of the machine, or of the container this process is in;
/// none where the system does not say.
pub fn machine_memory() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let physical = info.lines().find_map(|line| {
        let kib = line.strip_prefix("MemTotal:")?.split_whitespace().next()?;
        kib.parse::<u64>().ok()?.checked_mul(1024)
    })?;
    // `max` where there is no limit.
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse().ok());
    Some(container.map_or(physical, |limit: u64| limit.min(physical)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_until_it_is_given_back() {
        let total = Total::new(10);
        assert_eq!(total.take(7), Ok(()));
        assert_eq!(total.take(4), Err(10));
        assert_eq!(total.take(u64::MAX), Err(10));
        total.give_back(7);
        assert_eq!(total.take(10), Ok(()));
    }

    #[test]
    fn one_call_always_fits() {
        assert!(Total::of_this_machine(1 << 50).take(1 << 50).is_ok());
    }
}
