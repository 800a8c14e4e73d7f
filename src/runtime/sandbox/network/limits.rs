//! What one instance, and all together, may have open.
//!
//! Whoever finds all places taken waits in the order of coming, so that many
//! requests of one guest delay those of others by a bounded time only.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of one instance: HTTP exchanges that are not over.
pub(super) const CONNECTIONS: usize = 16;
/// Names one instance resolves at a time.
const LOOKUPS: usize = 4;
/// Sockets one instance has open.
pub(super) const SOCKETS: usize = 32;
/// Connections and sockets of all instances. Each takes a file descriptor, of
/// which a process commonly has 1024.
const ALL_CONNECTIONS: usize = 256;
/// Names that are resolved at a time. Each takes a thread.
const ALL_LOOKUPS: usize = 32;
/// Addresses of a name that are looked at.
pub(super) const ADDRESSES: usize = 32;
/// The longest a name may take.
pub(super) const LOOKUP: Duration = Duration::from_secs(10);
/// The longest one address may take, unless it is the last.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);
/// The longest a connection may take, from the lookup to the end of TLS.
pub(super) const CONNECT: Duration = Duration::from_secs(30);
/// The longest a server may be silent; the call's own limit is commonly shorter.
pub(super) const SILENCE: Duration = Duration::from_secs(600);
/// Bytes of a response's head, and of its body that nobody has read yet.
pub(super) const BUFFER: usize = 128 << 10;

/// Places to take.
#[derive(Debug)]
pub(super) struct Places {
    connections: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

/// A place, until dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Places {
    pub fn of_all() -> Self {
        Places::new(ALL_CONNECTIONS, ALL_LOOKUPS)
    }

    pub fn of_one() -> Self {
        Places::new(CONNECTIONS, LOOKUPS)
    }

    fn new(connections: usize, lookups: usize) -> Self {
        Places {
            connections: Arc::new(Semaphore::new(connections)),
            lookups: Arc::new(Semaphore::new(lookups)),
        }
    }

    /// `None` is never returned: the semaphores are never closed.
    pub async fn connection(&self) -> Option<Place> {
        Arc::clone(&self.connections).acquire_owned().await.ok()
    }

    /// A place for a connection if there is one now.
    pub fn connection_now(&self) -> Option<Place> {
        Arc::clone(&self.connections).try_acquire_owned().ok()
    }

    /// As [`Places::connection`].
    pub async fn lookup(&self) -> Option<Place> {
        Arc::clone(&self.lookups).acquire_owned().await.ok()
    }
}
