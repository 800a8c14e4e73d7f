//! What one instance, one component and all together may have open.
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
/// The part of one component's instances, so that others have some too.
const COMPONENT_CONNECTIONS: usize = ALL_CONNECTIONS / 2;
const COMPONENT_LOOKUPS: usize = ALL_LOOKUPS / 2;
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
pub(super) const BUFFER: usize = 64 << 10;

/// Places to take, each of which takes one of those they are within, too.
#[derive(Debug)]
pub(in crate::runtime::sandbox) struct Places {
    connections: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    within: Option<Arc<Places>>,
}

/// Held until dropped.
pub(super) type Place = Vec<OwnedSemaphorePermit>;

impl Places {
    pub fn of_all() -> Arc<Self> {
        Places::new(ALL_CONNECTIONS, ALL_LOOKUPS, None)
    }

    pub fn of_component(all: &Arc<Places>) -> Arc<Self> {
        Places::new(COMPONENT_CONNECTIONS, COMPONENT_LOOKUPS, Some(all))
    }

    pub fn of_one(component: &Arc<Places>) -> Arc<Self> {
        Places::new(CONNECTIONS, LOOKUPS, Some(component))
    }

    fn new(connections: usize, lookups: usize, within: Option<&Arc<Places>>) -> Arc<Self> {
        Arc::new(Places {
            connections: Arc::new(Semaphore::new(connections)),
            lookups: Arc::new(Semaphore::new(lookups)),
            within: within.cloned(),
        })
    }

    pub async fn connection(&self) -> Place {
        self.wait_for(|places| &places.connections).await
    }

    pub async fn lookup(&self) -> Place {
        self.wait_for(|places| &places.lookups).await
    }

    /// A place for a connection if there is one now.
    pub fn connection_now(&self) -> Option<Place> {
        let taken = self.chain().map(|places| {
            let connections = Arc::clone(&places.connections);
            connections.try_acquire_owned().ok()
        });
        taken.collect()
    }

    /// The narrowest first: who waits for its own keeps nobody else waiting.
    async fn wait_for(&self, which: impl Fn(&Places) -> &Arc<Semaphore>) -> Place {
        let mut place = Place::new();
        for places in self.chain() {
            let semaphore = Arc::clone(which(places));
            // Fails only for a semaphore that was closed, which none ever is.
            place.extend(semaphore.acquire_owned().await);
        }
        place
    }

    fn chain(&self) -> impl Iterator<Item = &Places> {
        std::iter::successors(Some(self), |places| places.within.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_leaves_places_to_others() {
        let all = Places::of_all();
        let (greedy, other) = (Places::of_component(&all), Places::of_component(&all));
        let held: Vec<Place> = std::iter::from_fn(|| greedy.connection_now()).collect();
        assert_eq!(held.len(), COMPONENT_CONNECTIONS);
        let one = Places::of_one(&other);
        let places: Vec<Place> = std::iter::from_fn(|| one.connection_now()).collect();
        assert_eq!(places.len(), CONNECTIONS);
        drop(held);
        assert!(greedy.connection_now().is_some());
    }
}
