//! What one instance may take of the machine.

use wasmtime::ResourceLimiter;

/// Refusals a guest may shrug off before it is stopped: a garbage collector
/// answers one by collecting, an endless loop by asking again.
const PATIENCE: u32 = 64;
/// Elements one table may hold.
const TABLE_ELEMENTS: usize = 1_000_000;
/// Core instances, tables and memories of one component instance.
const INSTANCES: usize = 1000;
const TABLES: usize = 1000;
const MEMORIES: usize = 100;

/// Counts the memory of all linear memories of one instance together.
pub(super) struct Limiter {
    /// Bytes.
    limit: usize,
    /// Bytes.
    used: usize,
    refused: u32,
}

impl Limiter {
    /// `limit` in bytes.
    pub fn new(limit: u64) -> Self {
        Limiter {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: 0,
            refused: 0,
        }
    }

    /// Whether the guest was ever refused memory.
    pub fn refused(&self) -> bool {
        self.refused > 0
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The guest's own limit, not ours.
            return Ok(false);
        }
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used <= self.limit {
            self.used = used;
            return Ok(true);
        }
        self.refused += 1;
        if self.refused > PATIENCE {
            wasmtime::bail!("the memory limit was reached");
        }
        Ok(false)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= maximum.unwrap_or(usize::MAX).min(TABLE_ELEMENTS))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_counted_together() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.refused());
        assert!(limiter.memory_growing(60, 100, None).unwrap());
    }

    #[test]
    fn a_guest_that_only_asks_is_stopped() {
        let mut limiter = Limiter::new(1);
        let answers = std::iter::repeat_with(|| limiter.memory_growing(0, 2, None));
        assert_eq!(answers.take_while(Result::is_ok).count(), PATIENCE as usize);
    }

    #[test]
    fn a_guests_own_maximum_is_not_our_limit() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.memory_growing(10, 20, Some(10)).unwrap());
        assert!(!limiter.refused());
    }
}
