//! Limits concurrent downloads.

use tokio::sync::{Semaphore, SemaphorePermit};

/// A semaphore for the downloads of the process.
pub(super) struct Slots(Semaphore);

impl Slots {
    pub fn new(count: usize) -> Self {
        Slots(Semaphore::new(count.max(1)))
    }

    /// Waits for a permit, which is held until the result is dropped.
    pub async fn take(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so this is always `Some`.
        self.0.acquire().await.ok()
    }
}
