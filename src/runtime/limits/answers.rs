//! The memory of answers, from the end of a call until its client has read it.
//!
//! There are two levels of readers: credentials, and their sessions. Each reader may use as much
//! as is still free, so one that does not read gets half and leaves the rest to others. A request
//! begins only while its reader has room. Calls that have begun may return more than there is room
//! for: such a result waits, and is dropped when too many bytes wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::total::{MemoryShare, TotalMemory};
use crate::policy::Bytes;

/// A reader with fewer unread bytes may always begin another request, and a smaller answer never
/// waits: the number of requests bounds both.
const SMALL: u64 = 64 << 10;

/// The budget of all answers, within the [`TotalMemory`].
#[derive(Debug)]
pub struct Answers {
    total: Arc<TotalMemory>,
    limit: u64,
    counts: Counts,
    /// Notified when there is more room.
    more: Notify,
    /// Held while a waiting result is admitted.
    letting_in: Mutex<()>,
}

/// Counts in bytes.
#[derive(Debug, Default)]
struct Counts {
    /// Bytes of answers on their way to their readers.
    under_way: AtomicU64,
    /// Bytes of results that wait for room.
    waiting: AtomicU64,
}

impl Counts {
    fn all(&self) -> u64 {
        let [under_way, waiting] = [&self.under_way, &self.waiting];
        under_way.load(Ordering::Relaxed) + waiting.load(Ordering::Relaxed)
    }
}

/// A reader of answers: a credential, or one of its sessions.
#[derive(Clone, Debug)]
pub struct Reader(Arc<Level>);

#[derive(Debug)]
struct Level {
    answers: Arc<Answers>,
    /// The credential of a session.
    within: Option<Reader>,
    /// The factor by which its bytes may exceed the free ones.
    share: u64,
    counts: Counts,
}

/// Memory of an answer, given back when this is dropped.
#[derive(Debug)]
pub struct Kept {
    memory: MemoryShare,
    reader: Option<Reader>,
    /// Bytes that the reader is charged.
    charged: u64,
    is_waiting: bool,
}

/// There is no room for an answer, or for the data of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The client has too many unread answers.
    #[error("This client has too many unread answers")]
    Unread,
    /// All calls together take too much memory; the limit in bytes.
    #[error("All calls together need more than {} of the server's memory", Bytes(*.0))]
    Total(u64),
}

impl NoRoom {
    /// Returns the stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            NoRoom::Unread => "answers-unread",
            NoRoom::Total(_) => "server-memory-limit",
        }
    }
}

impl Answers {
    /// Creates a budget of `limit` bytes.
    pub fn new(total: &Arc<TotalMemory>, limit: u64) -> Arc<Self> {
        Arc::new(Answers {
            total: Arc::clone(total),
            limit,
            counts: Counts::default(),
            more: Notify::new(),
            letting_in: Mutex::default(),
        })
    }

    /// Creates a reader with its own share: a credential.
    pub fn reader(self: &Arc<Self>) -> Reader {
        Reader(Arc::new(Level {
            answers: Arc::clone(self),
            within: None,
            share: 2,
            counts: Counts::default(),
        }))
    }

    /// Waits until `is_so` returns true; checks again whenever there is more room.
    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            more.as_mut().enable();
            if is_so() {
                return;
            }
            more.await;
        }
    }
}

impl Reader {
    /// Creates a session of this credential.
    pub fn session(&self) -> Reader {
        Reader(Arc::new(Level {
            answers: Arc::clone(&self.0.answers),
            within: Some(self.clone()),
            share: 1,
            counts: Counts::default(),
        }))
    }

    /// Whether this is the only handle of the reader, and no answer of it is kept.
    pub fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Whether another request may begin.
    pub fn has_room(&self) -> bool {
        let answers = &self.0.answers;
        let free = answers.limit.saturating_sub(answers.counts.all());
        let is_within = |level: &Level| level.counts.all() <= free.saturating_mul(level.share);
        self.0.counts.all() < SMALL || self.levels().all(is_within)
    }

    /// Waits until another request may begin.
    ///
    /// # Errors
    ///
    /// [`NoRoom::Unread`], when there is none before `until`.
    pub async fn room(&self, until: Instant) -> Result<(), NoRoom> {
        if self.has_room() {
            return Ok(());
        }
        let room = self.0.answers.until(|| self.has_room());
        timeout_at(until, room).await.map_err(|_| NoRoom::Unread)
    }

    /// Charges an answer of `bytes` that exists already.
    ///
    /// # Errors
    ///
    /// [`NoRoom::Total`].
    pub fn keep(&self, bytes: u64) -> Result<Kept, NoRoom> {
        let mut kept = Kept {
            memory: self.0.answers.total.share(),
            reader: Some(self.clone()),
            charged: 0,
            is_waiting: false,
        };
        kept.resize(bytes)?;
        Ok(kept)
    }

    /// Whether there is room for a result of `bytes`. A result larger than half of the budget
    /// counts as half, so that it gets room eventually.
    fn fits(&self, bytes: u64) -> bool {
        let answers = &self.0.answers;
        let of = |counts: &Counts| counts.under_way.load(Ordering::Relaxed);
        let free = answers.limit.saturating_sub(of(&answers.counts));
        let is_within = |level: &Level| of(&level.counts) <= free.saturating_mul(level.share);
        bytes <= SMALL || (bytes.min(answers.limit / 2) <= free && self.levels().all(is_within))
    }

    fn levels(&self) -> impl Iterator<Item = &Level> {
        let first: &Level = &self.0;
        std::iter::successors(Some(first), |level| {
            level.within.as_ref().map(|reader| &*reader.0)
        })
    }

    fn counts(&self) -> impl Iterator<Item = &Counts> {
        let levels = self.levels().map(|level| &level.counts);
        levels.chain([&self.0.answers.counts])
    }
}

impl Kept {
    /// Wraps the result of a call, whose memory is charged already. Without a reader, the result
    /// is used at once.
    pub(in crate::runtime) fn waiting(reader: Option<Reader>, memory: MemoryShare) -> Self {
        let mut kept = Kept {
            charged: 0,
            memory,
            reader,
            is_waiting: true,
        };
        kept.charge(kept.memory.bytes());
        kept
    }

    /// Waits until there is room for the result and `more` bytes for the answer that is built from
    /// it.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] when too many bytes wait already, or there is no room before `until`.
    pub(in crate::runtime) async fn enter(
        &mut self,
        more: u64,
        until: Instant,
    ) -> Result<(), NoRoom> {
        let bytes = self.memory.bytes().saturating_add(more);
        if let Some(reader) = self.reader.clone()
            && !self.try_enter(&reader, bytes)
        {
            let answers = &reader.0.answers;
            let waiting = answers.counts.waiting.load(Ordering::Relaxed);
            if waiting > answers.limit && waiting > self.charged {
                return Err(NoRoom::Unread);
            }
            let entered = Mutex::new(&mut *self);
            let enter = || {
                let mut kept = entered.lock().unwrap_or_else(PoisonError::into_inner);
                kept.try_enter(&reader, bytes)
            };
            let entering = timeout_at(until, answers.until(enter)).await;
            entering.map_err(|_| NoRoom::Unread)?;
        }
        self.resize(bytes)
    }

    fn try_enter(&mut self, reader: &Reader, bytes: u64) -> bool {
        let letting_in = reader.0.answers.letting_in.lock();
        let _letting_in = letting_in.unwrap_or_else(PoisonError::into_inner);
        let fits = reader.fits(bytes);
        if fits {
            self.charge(0);
            self.is_waiting = false;
            self.charge(bytes);
        }
        fits
    }

    /// Changes the charge to `bytes`.
    ///
    /// # Errors
    ///
    /// [`NoRoom::Total`]; the charge then stays as it was.
    pub fn resize(&mut self, bytes: u64) -> Result<(), NoRoom> {
        match bytes.checked_sub(self.memory.bytes()) {
            Some(more) => self.memory.take(more).map_err(NoRoom::Total)?,
            None => self.memory.give_back(self.memory.bytes() - bytes),
        }
        self.charge(bytes);
        Ok(())
    }

    fn charge(&mut self, bytes: u64) {
        let Some(reader) = &self.reader else { return };
        let before = std::mem::replace(&mut self.charged, bytes);
        for counts in reader.counts() {
            let count = match self.is_waiting {
                true => &counts.waiting,
                false => &counts.under_way,
            };
            // Adding the wrapped difference subtracts when `bytes` is less.
            count.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
        }
        if bytes < before {
            reader.0.answers.more.notify_waiters();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // First, so that the readers that are woken find the memory free as well.
        self.memory.give_back(self.memory.bytes());
        self.charge(0);
    }
}

#[cfg(test)]
mod tests;
