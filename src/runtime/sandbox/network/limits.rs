//! Limits of open connections and lookups: of one instance, one component, and all.
//!
//! At a limit, requests wait in order of arrival, so that many requests of one guest
//! delay those of others only by a bounded time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most HTTP connections of one instance at a time.
pub(super) const CONNECTIONS: usize = 16;
/// Most names that one instance resolves at a time.
const LOOKUPS: usize = 4;
/// Most open sockets of one instance.
pub(super) const SOCKETS: usize = 32;
/// Most connections and sockets of all instances. Each takes a file descriptor, of
/// which a process commonly has 1024.
const ALL_CONNECTIONS: usize = 256;
/// Most names that are resolved at a time. Each takes a thread.
const ALL_LOOKUPS: usize = 32;
/// The part that one component's instances may take, so that some is left for others.
const COMPONENT_CONNECTIONS: usize = ALL_CONNECTIONS / 2;
const COMPONENT_LOOKUPS: usize = ALL_LOOKUPS / 2;
/// Most addresses of a name that are used.
pub(super) const ADDRESSES: usize = 32;
/// Longest time to resolve a name.
pub(super) const LOOKUP: Duration = Duration::from_secs(10);
/// Longest time to connect to one address, unless it is the last.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);
/// Longest time to connect, from the lookup to the end of the TLS handshake.
pub(super) const CONNECT: Duration = Duration::from_secs(30);
/// Longest silence of a server; the call's own time limit is commonly shorter.
pub(super) const SILENCE: Duration = Duration::from_secs(600);
/// Bytes of a response's head, and of its unread body.
pub(super) const BUFFER: usize = 64 << 10;

/// Permits for connections and lookups; each one also takes a permit of `within`.
#[derive(Debug)]
pub(in crate::runtime::sandbox) struct Places {
    connections: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
    within: Option<Arc<Places>>,
}

/// Permits, released when dropped.
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

    /// Returns a permit for a connection, if one is free now.
    pub fn connection_now(&self) -> Option<Place> {
        let taken = self.chain().map(|places| {
            let connections = Arc::clone(&places.connections);
            connections.try_acquire_owned().ok()
        });
        taken.collect()
    }

    /// Takes the narrowest limit first, so that waiting for it does not hold the wider ones.
    async fn wait_for(&self, which: impl Fn(&Places) -> &Arc<Semaphore>) -> Place {
        let mut place = Place::new();
        for places in self.chain() {
            let semaphore = Arc::clone(which(places));
            // Fails only for a closed semaphore, and these are never closed.
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
