//! The store, out of reach of async workers.

use std::sync::Arc;

use tokio::task::JoinError;

use crate::store::{Layout, Store};

/// A store whose work waits for locks and for the disk. Async code reaches it
/// by [`Disk::run`] alone, which does the work on a thread for blocking work.
#[derive(Clone)]
pub struct Disk(Arc<Store>);

impl Disk {
    pub fn new(store: Store) -> Self {
        Disk(Arc::new(store))
    }

    /// Does work on the store, off the async workers.
    ///
    /// # Errors
    ///
    /// When the work panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let store = self.0.clone();
        tokio::task::spawn_blocking(move || work(&store)).await
    }

    /// The store, for functions that are not async and that only the command
    /// line calls, on a thread that nobody else waits for.
    pub fn blocking(&self) -> &Store {
        &self.0
    }

    pub fn layout(&self) -> &Layout {
        self.0.layout()
    }
}
