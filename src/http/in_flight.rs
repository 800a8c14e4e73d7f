//! The resources that a request uses until its answer is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::places::Place;
use crate::runtime::{Kept, MemoryShare, NoRoom, Reader};

/// The slot of a request, with the memory of the parsed request and of its answer. It travels with
/// the request, and is released with its last copy or by [`release`](InFlight::release).
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    all: Arc<Mutex<All>>,
    part: usize,
}

#[derive(Debug, Default)]
struct All {
    reader: Option<Reader>,
    taken: Vec<Taken>,
    /// Memory of the answer to the request itself, or to each part of a batch.
    answers: HashMap<usize, Kept>,
}

/// A resource that is released when it is dropped.
#[derive(Debug)]
pub(super) enum Taken {
    Place {
        _place: Place,
    },
    Memory {
        _permit: OwnedSemaphorePermit,
        _memory: MemoryShare,
    },
}

impl InFlight {
    /// A request whose answer is charged to this reader.
    pub fn of(reader: Reader) -> Self {
        let in_flight = InFlight::default();
        in_flight.read_by(reader);
        in_flight
    }

    /// A request of a batch, which is released together with the others.
    pub fn part(&self, part: usize) -> Self {
        let all = Arc::clone(&self.all);
        InFlight { all, part }
    }

    /// Sets the reader who is charged for answers from now on.
    pub fn read_by(&self, reader: Reader) {
        self.all().reader = Some(reader);
    }

    pub fn reader(&self) -> Option<Reader> {
        self.all().reader.clone()
    }

    /// Keeps the memory of the answer until it is sent.
    pub fn keep(&self, kept: Kept) {
        self.all().answers.insert(self.part, kept);
    }

    /// Sets the size of the answer, in bytes.
    ///
    /// # Errors
    ///
    /// [`NoRoom::Total`].
    pub fn answer(&self, bytes: usize) -> Result<(), NoRoom> {
        let bytes = bytes as u64;
        let mut all = self.all();
        if let Some(kept) = all.answers.get_mut(&self.part) {
            return kept.resize(bytes);
        }
        if let Some(reader) = &all.reader {
            let kept = reader.keep(bytes)?;
            all.answers.insert(self.part, kept);
        }
        Ok(())
    }

    /// Releases everything, for a request that has become a stream.
    pub fn release(&self) {
        let mut all = self.all();
        all.taken.clear();
        all.answers.clear();
    }

    pub(super) fn add(&self, taken: Taken) {
        self.all().taken.push(taken);
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
