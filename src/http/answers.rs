//! The memory of answers that their clients have not read yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Smaller answers are not counted: the number of requests bounds them.
const SMALL: usize = 64 * 1024;
/// What one permit stands for.
const UNIT: usize = 1024;
/// How long an answer may wait until others have been read.
const PATIENCE: Duration = Duration::from_secs(30);

/// A budget of bytes for answers under way, and a smaller one for those that
/// wait until there is room. Beyond both, an answer is dropped for an error.
#[derive(Clone, Debug)]
pub struct Answers {
    under_way: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    total: usize,
}

/// Room for one answer or several, given back when the last copy is dropped.
#[derive(Clone, Debug, Default)]
pub struct Reservation {
    permits: Vec<Arc<OwnedSemaphorePermit>>,
}

/// There is no room for the answer: clients have not read others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many answers wait to be read; read them, then try again")]
pub struct Unread;

impl Answers {
    /// A budget of `bytes`; half as many may wait for room.
    pub fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Answers {
            under_way: Arc::new(Semaphore::new(units)),
            waiting: Arc::new(Semaphore::new(units.div_ceil(2))),
            total: units,
        }
    }

    /// Room for an answer of so many bytes. One beyond the whole budget waits
    /// until it is the only one.
    ///
    /// # Errors
    ///
    /// [`Unread`] when too many bytes wait already, or none were read for half
    /// a minute.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, Unread> {
        if bytes <= SMALL {
            return Ok(Reservation::none());
        }
        let units = bytes.div_ceil(UNIT);
        let take = |from: &Arc<Semaphore>, units: usize| {
            // At most what there is, which is at most u32::MAX KiB.
            let units = u32::try_from(units).unwrap_or(u32::MAX);
            from.clone().try_acquire_many_owned(units).ok()
        };
        let units = units.min(self.total);
        if let Some(permit) = take(&self.under_way, units) {
            return Ok(Reservation::of(permit));
        }
        let _waiting = take(&self.waiting, units.min(self.total.div_ceil(2))).ok_or(Unread)?;
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let room = self.under_way.clone().acquire_many_owned(units);
        match tokio::time::timeout(PATIENCE, room).await {
            Ok(Ok(permit)) => Ok(Reservation::of(permit)),
            // Closed it never is.
            Ok(Err(_)) | Err(_) => Err(Unread),
        }
    }
}

impl Reservation {
    /// For an answer that is too small to be counted.
    pub fn none() -> Self {
        Reservation::default()
    }

    fn of(permit: OwnedSemaphorePermit) -> Self {
        Reservation {
            permits: vec![Arc::new(permit)],
        }
    }

    /// Keeps the room of `other` as well.
    pub fn add(&mut self, other: Reservation) {
        self.permits.extend(other.permits);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn is_waiting<F: Future>(future: Pin<&mut F>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        future.poll(&mut context).is_pending()
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_or_is_refused() {
        let answers = Answers::new(4 * MIB);
        let first = answers.reserve(3 * MIB).await.unwrap();
        let mut second = Box::pin(answers.reserve(2 * MIB));
        assert!(is_waiting(second.as_mut()));
        let third = answers.reserve(2 * MIB).await;
        assert_eq!(third.unwrap_err(), Unread, "as much waits as may");
        answers.reserve(1000).await.expect("small ones pass");
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_beyond_the_budget_waits_until_it_is_alone() {
        let answers = Answers::new(MIB);
        let first = answers.reserve(100 * MIB).await.unwrap();
        let mut second = Box::pin(answers.reserve(100 * MIB));
        assert!(is_waiting(second.as_mut()));
        drop(first);
        second.await.unwrap();
    }
}
