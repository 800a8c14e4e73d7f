//! The sessions of one HTTP transport. Their ids cannot be guessed, each session is
//! only open to the credential that opened it, and their number is divided among
//! credentials.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::http::{Auth, Owner, Place, Places};

use super::session_id;

/// What a transport provides for each session.
pub(super) trait Link: Clone {
    /// Whether a stream is open or a request is being answered.
    fn is_active(&self) -> bool;
}

pub(super) struct Sessions<L> {
    auth: Arc<Auth>,
    places: Arc<Places>,
    open: Mutex<HashMap<String, Session<L>>>,
}

struct Session<L> {
    owner: Owner,
    link: L,
    /// Cancelled to end the session.
    end: CancellationToken,
    used: Instant,
    _place: Place,
}

impl<L: Link> Sessions<L> {
    pub fn new(auth: Arc<Auth>, limit: usize) -> Arc<Self> {
        Arc::new(Sessions {
            auth,
            places: Places::new(limit),
            open: Mutex::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Session<L>>> {
        // No statement leaves the map half-changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session and returns its id; `None` when all slots are taken. If the owner has used
    /// up its share, its longest idle session is closed to make room. The session ends when `end`
    /// is cancelled or its owner's token becomes invalid.
    ///
    /// # Errors
    ///
    /// When the operating system provides no randomness.
    pub fn open(
        &self,
        owner: Owner,
        link: L,
        end: CancellationToken,
    ) -> io::Result<Option<String>> {
        let id = session_id::new()?;
        let share = self.auth.share(owner, self.places.total());
        let mut open = self.table();
        let mut place = self.places.take(owner, share);
        if place.is_none() && evict(&mut open, owner) {
            place = self.places.take(owner, share);
        }
        let Some(_place) = place else {
            return Ok(None);
        };
        let session = Session {
            owner,
            link,
            end,
            used: Instant::now(),
            _place,
        };
        open.insert(id.clone(), session);
        Ok(Some(id))
    }

    /// The session, if it belongs to this owner.
    pub fn get(&self, id: &str, owner: Owner) -> Option<L> {
        let mut open = self.table();
        let session = open.get_mut(id)?;
        // Only credentials are compared: a client without one may change its address.
        if session.owner.credential() != owner.credential() {
            return None;
        }
        session.used = Instant::now();
        Some(session.link.clone())
    }

    /// Ends the session if it belongs to this owner, and returns whether it did.
    pub fn close(&self, id: &str, owner: Owner) -> bool {
        let is_own = self.get(id, owner).is_some();
        if is_own {
            self.remove(id);
        }
        is_own
    }

    pub fn remove(&self, id: &str) {
        if let Some(session) = self.table().remove(id) {
            session.end.cancel();
        }
    }

    /// Ends the sessions of tokens that are no longer valid.
    pub fn end_revoked(&self) {
        self.table().retain(|id, session| {
            let is_valid = self.auth.is_valid(session.owner);
            if !is_valid {
                let session_name = session_id::label(id);
                tracing::info!("session {session_name} ends: its token is no longer valid");
                session.end.cancel();
            }
            is_valid
        });
    }
}

/// Ends the owner's longest idle session; returns whether there was one.
fn evict<L: Link>(open: &mut HashMap<String, Session<L>>, owner: Owner) -> bool {
    let idle = open
        .iter()
        .filter(|(_, session)| session.owner == owner && !session.link.is_active());
    let longest = idle.min_by_key(|(_, session)| session.used);
    let Some(id) = longest.map(|(id, _)| id.clone()) else {
        return false;
    };
    if let Some(session) = open.remove(&id) {
        let session_name = session_id::label(&id);
        tracing::info!("session {session_name} makes room for a new one of its client");
        session.end.cancel();
    }
    true
}
