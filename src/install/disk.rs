//! The store, which async workers must not use directly.

use std::sync::Arc;

use tokio::task::JoinError;

use crate::store::{Layout, Store};

/// A store, whose operations wait for locks and for the disk. Async code reaches it only through
/// [`Disk::run`], which uses a thread for blocking work.
#[derive(Clone)]
pub struct Disk(Arc<Store>);

impl Disk {
    pub fn new(store: Store) -> Self {
        Disk(Arc::new(store))
    }

    /// Runs `work` on the store, off the async workers.
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

    /// The store, for the command line's functions that are not async and run on a thread of their
    /// own.
    pub fn blocking(&self) -> &Store {
        &self.0
    }

    pub fn layout(&self) -> &Layout {
        self.0.layout()
    }
}
