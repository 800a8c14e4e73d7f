//! Limits a number of slots, such as sessions or requests, and divides them among their owners, so
//! that no owner can take all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tokens::Credential;

/// The owner of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    Credential(Credential),
    /// The address of a client without a credential; behind a proxy, the proxy's.
    Address(IpAddr),
}

impl Owner {
    pub fn credential(self) -> Option<Credential> {
        match self {
            Owner::Credential(credential) => Some(credential),
            Owner::Address(_) => None,
        }
    }
}

/// A number of slots, of which each owner may take a share.
#[derive(Debug)]
pub struct Places {
    total: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_owner: HashMap<Owner, usize>,
}

/// A taken slot, which is released when this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    owner: Owner,
}

impl Places {
    pub fn new(total: usize) -> Arc<Self> {
        Arc::new(Places {
            total,
            taken: Mutex::default(),
        })
    }

    /// Takes a slot for `owner`, who may have `share` of them; `None` when all slots or the whole
    /// share are taken.
    pub fn take(self: &Arc<Self>, owner: Owner, share: usize) -> Option<Place> {
        let mut taken = self.taken();
        let mine = taken.by_owner.get(&owner).copied().unwrap_or(0);
        if taken.all >= self.total || mine >= share {
            return None;
        }
        taken.all += 1;
        taken.by_owner.insert(owner, mine + 1);
        Some(Place {
            places: self.clone(),
            owner,
        })
    }

    pub fn total(&self) -> usize {
        self.total
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // No statement that can panic leaves the counts wrong.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        let left = taken.by_owner.get(&self.owner).map_or(0, |mine| mine - 1);
        match left {
            0 => taken.by_owner.remove(&self.owner),
            left => taken.by_owner.insert(self.owner, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_leaves_places_to_others() {
        let places = Places::new(3);
        let (mine, other) = (
            Owner::Credential(Credential::of(b"mine")),
            Owner::Address(IpAddr::from([127, 0, 0, 1])),
        );
        let held: Vec<Place> = (0..2).map(|_| places.take(mine, 2).unwrap()).collect();
        assert!(places.take(mine, 2).is_none());
        let last = places.take(other, 2).unwrap();
        assert!(places.take(other, 2).is_none(), "all are taken");
        drop(held);
        assert!(places.take(mine, 2).is_some());
        drop(last);
        assert!(places.taken().by_owner.is_empty());
    }
}
