//! How many downloads run at once.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The places of all downloads of a program.
pub(super) struct Slots(Semaphore);

impl Slots {
    pub fn new(count: usize) -> Self {
        Slots(Semaphore::new(count.max(1)))
    }

    /// Waits for a place, which is held until the answer is dropped.
    pub async fn take(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so this is always a permit.
        self.0.acquire().await.ok()
    }
}
