//! How many calls of one component are in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lets so many calls in, in the order they came; its width may change while
/// calls are in flight, with the component's policy.
#[derive(Debug)]
pub(in crate::runtime) struct Gate {
    places: Arc<Semaphore>,
    width: Mutex<Width>,
}

#[derive(Debug, Default)]
struct Width {
    /// Calls at once.
    calls: u32,
    /// Places to be closed as soon as their calls have ended.
    surplus: usize,
}

/// A place inside.
#[derive(Debug)]
pub(in crate::runtime) struct Place {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// Closed, until the first call says how wide it is.
    pub fn new() -> Arc<Self> {
        Arc::new(Gate {
            places: Arc::new(Semaphore::new(0)),
            width: Mutex::default(),
        })
    }

    /// Waits for a place among `calls`.
    pub async fn enter(self: &Arc<Self>, calls: u32) -> Place {
        self.widen(calls);
        Place {
            gate: Arc::clone(self),
            // Never closed.
            permit: Arc::clone(&self.places).acquire_owned().await.ok(),
        }
    }

    fn widen(&self, calls: u32) {
        let mut width = self.width();
        let (now, then) = (calls as usize, width.calls as usize);
        width.calls = calls;
        if now >= then {
            let kept = width.surplus.min(now - then);
            width.surplus -= kept;
            self.places.add_permits(now - then - kept);
        } else {
            let less = then - now;
            width.surplus += less - self.places.forget_permits(less);
        }
    }

    fn width(&self) -> MutexGuard<'_, Width> {
        self.width.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut width = self.gate.width();
        if width.surplus > 0
            && let Some(permit) = self.permit.take()
        {
            width.surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn enters(gate: &Arc<Gate>, calls: u32) -> Option<Place> {
        let soon = Duration::from_millis(20);
        tokio::time::timeout(soon, gate.enter(calls)).await.ok()
    }

    #[tokio::test]
    async fn lets_so_many_in() {
        let gate = Gate::new();
        let first = enters(&gate, 2).await.unwrap();
        let _second = enters(&gate, 2).await.unwrap();
        assert!(enters(&gate, 2).await.is_none());
        drop(first);
        assert!(enters(&gate, 2).await.is_some());
    }

    #[tokio::test]
    async fn its_width_follows_the_policy() {
        let gate = Gate::new();
        let mut inside = Vec::new();
        for _ in 0..3 {
            inside.push(enters(&gate, 3).await.unwrap());
        }
        // Narrower: two of the three must leave before anyone enters.
        for _ in 0..2 {
            assert!(enters(&gate, 2).await.is_none());
            inside.pop();
        }
        let second = enters(&gate, 2).await.unwrap();
        assert!(enters(&gate, 2).await.is_none());
        // Wider again.
        assert!(enters(&gate, 3).await.is_some());
        drop((inside, second));
        for _ in 0..3 {
            // Kept until the end of the test.
            std::mem::forget(enters(&gate, 3).await.unwrap());
        }
        assert!(enters(&gate, 3).await.is_none());
    }
}
