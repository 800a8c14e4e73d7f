//! Limits the memory of one call.

use std::sync::Arc;

use wasmtime::ResourceLimiter;

use super::total::{MemoryShare, TotalMemory};
use crate::schema::value::{Budget, Spent};

/// Refusals that a guest may get before it is stopped: a garbage collector reacts to a refusal by
/// collecting, but an endless loop requests memory for ever.
const PATIENCE: u32 = 64;
/// Most elements of one table, and the bytes of host memory that one takes.
const TABLE_ELEMENTS: usize = 1_000_000;
const TABLE_ELEMENT: usize = 8;
/// Most elements of a table in an engine's pool.
pub(in crate::runtime) const POOL_TABLE_ELEMENTS: usize = 100_000;
/// Most core instances, tables and memories of one component instance.
pub(in crate::runtime) const INSTANCES_OF_ONE: usize = 256;
pub(in crate::runtime) const TABLES: usize = 256;
pub(in crate::runtime) const MEMORIES: usize = 16;

/// The reason of the last refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Refused {
    /// The instance's own limit.
    Memory,
    /// The limit of all calls together, in bytes.
    Total(u64),
    /// The limit of one table, in elements.
    Table(usize),
}

/// Takes memory in growing pieces, since values request small amounts.
pub(in crate::runtime) struct Pieces<F> {
    take: F,
    taken: usize,
    /// Bytes taken in advance, which no value uses yet.
    ahead: usize,
    refused: Option<Refused>,
}

impl<F: FnMut(usize) -> Result<(), Refused>> Pieces<F> {
    pub fn new(take: F) -> Self {
        Pieces {
            take,
            taken: 0,
            ahead: 0,
            refused: None,
        }
    }

    /// Why the last piece was refused.
    pub fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl<F: FnMut(usize) -> Result<(), Refused>> Budget for Pieces<F> {
    fn take(&mut self, bytes: usize) -> Result<(), Spent> {
        if let Some(left) = self.ahead.checked_sub(bytes) {
            self.ahead = left;
            return Ok(());
        }
        let missing = bytes - self.ahead;
        let piece = missing.max(self.taken / 4);
        let taken = match (self.take)(piece) {
            Ok(()) => piece,
            Err(_) => {
                let exact = (self.take)(missing);
                exact.map_err(|refused| {
                    self.refused = Some(refused);
                    Spent
                })?;
                missing
            }
        };
        self.taken += taken;
        self.ahead += taken;
        self.ahead -= bytes;
        Ok(())
    }
}

/// Counts the linear memories and tables of one instance, and the host's memory for
/// it, against one limit.
pub(in crate::runtime) struct Limiter {
    /// Bytes.
    limit: u64,
    /// This instance's share of the memory of all calls.
    share: MemoryShare,
    /// The part of it, in bytes, that the host keeps for the guest.
    kept: usize,
    refused: Option<Refused>,
    refusals: u32,
}

impl Limiter {
    /// `limit` in bytes.
    pub fn new(limit: u64, total: &Arc<TotalMemory>) -> Self {
        Limiter {
            limit,
            share: total.share(),
            kept: 0,
            refused: None,
            refusals: 0,
        }
    }

    /// Why the guest was last refused, if it was.
    pub fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Sets the bytes that the host now keeps for the guest.
    pub fn keep_for_guest(&mut self, bytes: usize) -> wasmtime::Result<()> {
        let before = std::mem::replace(&mut self.kept, bytes);
        if let Some(less) = before.checked_sub(bytes) {
            self.share.give_back(less as u64);
            return Ok(());
        }
        self.take(bytes - before).or_else(|refused| {
            self.kept = before;
            self.refused = Some(refused);
            wasmtime::bail!("a limit was reached")
        })
    }

    /// Charges the values of the arguments, which stay until the call ends.
    pub fn keep_arguments<T>(
        &mut self,
        make: impl FnOnce(&mut dyn Budget) -> T,
    ) -> (T, Option<Refused>) {
        let mut pieces = Pieces::new(|bytes| self.take(bytes));
        let made = make(&mut pieces);
        let refused = pieces.refused();
        (made, refused)
    }

    fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        let used = self.share.bytes().checked_add(bytes as u64);
        used.filter(|used| *used <= self.limit)
            .ok_or(Refused::Memory)?;
        self.share.take(bytes as u64).map_err(Refused::Total)
    }

    fn answer(&mut self, taken: Result<(), Refused>) -> wasmtime::Result<bool> {
        let Err(refused) = taken else {
            return Ok(true);
        };
        self.refused = Some(refused);
        self.refusals += 1;
        if self.refusals > PATIENCE {
            wasmtime::bail!("a limit was reached");
        }
        Ok(false)
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
            // The limit that the guest's own memory type declares.
            return Ok(false);
        }
        let taken = self.take(desired.saturating_sub(current));
        self.answer(taken)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let maximum = maximum.unwrap_or(usize::MAX).min(TABLE_ELEMENTS);
        if desired > maximum {
            let ours = [POOL_TABLE_ELEMENTS, TABLE_ELEMENTS].contains(&maximum);
            return if ours {
                self.answer(Err(Refused::Table(maximum)))
            } else {
                Ok(false)
            };
        }
        let more = desired.saturating_sub(current);
        let taken = self.take(more.saturating_mul(TABLE_ELEMENT));
        self.answer(taken)
    }

    fn instances(&self) -> usize {
        INSTANCES_OF_ONE
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

    fn limiter(limit: u64) -> Limiter {
        Limiter::new(limit, &TotalMemory::new(1 << 40))
    }

    #[test]
    fn memories_and_tables_are_counted_together() {
        let mut limiter = limiter(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert_eq!(limiter.refused(), Some(Refused::Memory));
        assert!(!limiter.table_growing(0, 6, None).unwrap());
        assert!(limiter.table_growing(0, 5, None).unwrap());
        assert!(!limiter.memory_growing(60, 61, None).unwrap());
    }

    #[test]
    fn a_guest_that_only_asks_is_stopped() {
        let mut limiter = limiter(1);
        let answers = std::iter::repeat_with(|| limiter.memory_growing(0, 2, None));
        assert_eq!(answers.take_while(Result::is_ok).count(), PATIENCE as usize);
    }

    #[test]
    fn what_the_host_keeps_counts_for_as_long_as_it_does() {
        let mut limiter = limiter(100);
        limiter.keep_for_guest(60).unwrap();
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        limiter.keep_for_guest(30).unwrap();
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        limiter.keep_for_guest(41).unwrap_err();
        assert_eq!(limiter.refused(), Some(Refused::Memory));
        limiter.keep_for_guest(40).unwrap();
    }

    #[test]
    fn arguments_are_charged_to_the_last_byte() {
        let mut limiter = limiter(1000);
        let small = |budget: &mut dyn Budget| (0..).take_while(|_| budget.take(7).is_ok()).count();
        let (taken, refused) = limiter.keep_arguments(small);
        assert_eq!((taken, refused), (142, Some(Refused::Memory)));
        assert!(!limiter.memory_growing(0, 7, None).unwrap());
    }

    #[test]
    fn a_guests_own_maximum_is_not_our_limit() {
        let mut limiter = limiter(100);
        assert!(!limiter.memory_growing(10, 20, Some(10)).unwrap());
        assert!(!limiter.table_growing(1, 3, Some(2)).unwrap());
        assert_eq!(limiter.refused(), None);
    }

    #[test]
    fn instances_share_the_total_and_give_it_back() {
        let total = TotalMemory::new(100);
        let mut first = Limiter::new(1000, &total);
        let mut second = Limiter::new(1000, &total);
        assert!(first.memory_growing(0, 80, None).unwrap());
        assert!(!second.memory_growing(0, 80, None).unwrap());
        assert_eq!(second.refused(), Some(Refused::Total(100)));
        drop(first);
        assert!(second.memory_growing(0, 80, None).unwrap());
    }

    #[test]
    fn large_tables_are_refused_by_their_size() {
        let mut limiter = limiter(u64::MAX);
        for most in [POOL_TABLE_ELEMENTS, TABLE_ELEMENTS] {
            assert!(!limiter.table_growing(1, most + 1, Some(most)).unwrap());
            assert_eq!(limiter.refused(), Some(Refused::Table(most)));
        }
    }
}
