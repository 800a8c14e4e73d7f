//! Limits how many calls of one component are in flight.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits a number of calls at a time, in order of arrival. The number may change
/// with the component's policy while calls are in flight.
#[derive(Debug)]
pub(in crate::runtime) struct Gate {
    places: Arc<Semaphore>,
    width: Mutex<Width>,
}

#[derive(Debug, Default)]
struct Width {
    /// Most calls at once.
    calls: u32,
    /// Permits to be removed when the calls that hold them end.
    surplus: usize,
}

/// One call's permit.
#[derive(Debug)]
pub(in crate::runtime) struct Place {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// Admits nothing until the first call sets the width.
    pub fn new() -> Arc<Self> {
        Arc::new(Gate {
            places: Arc::new(Semaphore::new(0)),
            width: Mutex::default(),
        })
    }

    /// Waits until fewer than `calls` calls are in flight.
    pub async fn enter(self: &Arc<Self>, calls: u32) -> Place {
        self.widen(calls);
        Place {
            gate: Arc::clone(self),
            // Fails only for a closed semaphore, and this one is never closed.
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
        // With a lower limit, two of the three calls must end before another starts.
        for _ in 0..2 {
            assert!(enters(&gate, 2).await.is_none());
            inside.pop();
        }
        let second = enters(&gate, 2).await.unwrap();
        assert!(enters(&gate, 2).await.is_none());
        // With the higher limit again.
        assert!(enters(&gate, 3).await.is_some());
        drop((inside, second));
        for _ in 0..3 {
            // Held until the end of the test.
            std::mem::forget(enters(&gate, 3).await.unwrap());
        }
        assert!(enters(&gate, 3).await.is_none());
    }
}
