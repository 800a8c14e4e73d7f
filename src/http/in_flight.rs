//! What a request takes up until its answer is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use super::places::Place;
use crate::runtime::{Kept, MemoryShare, NoRoom, Reader};

/// A request's place among those worked on, with the memory of what it became
/// and of its answer. It travels with the request, and is given up with its last
/// copy or when it is [released](InFlight::release).
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    all: Arc<Mutex<All>>,
    part: usize,
}

#[derive(Debug, Default)]
struct All {
    reader: Option<Reader>,
    taken: Vec<Taken>,
    /// Of the request itself, or of each part of a batch.
    answers: HashMap<usize, Kept>,
}

/// Each is given back when it is dropped.
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
    /// A request whose answer this reader is charged for.
    pub fn of(reader: Reader) -> Self {
        let in_flight = InFlight::default();
        in_flight.read_by(reader);
        in_flight
    }

    /// A request of a batch, which is given up with the others.
    pub fn part(&self, part: usize) -> Self {
        let all = Arc::clone(&self.all);
        InFlight { all, part }
    }

    /// Changes who is charged for answers from now on.
    pub fn read_by(&self, reader: Reader) {
        self.all().reader = Some(reader);
    }

    pub fn reader(&self) -> Option<Reader> {
        self.all().reader.clone()
    }

    /// Keeps what the answer takes until it is sent.
    pub fn keep(&self, kept: Kept) {
        self.all().answers.insert(self.part, kept);
    }

    /// The answer takes so many bytes from now on.
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

    /// Gives all of it up, for a request that has become a stream.
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
