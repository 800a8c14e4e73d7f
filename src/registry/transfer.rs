//! What is learnt while one artifact travels.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::net::Meter;

/// Whether what was fetched is open to anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// It came without credentials.
    Public,
    /// Credentials or a client certificate were shown to the host.
    Private,
    /// It was fetched before this was recorded.
    #[default]
    Unknown,
}

/// One fetch or push: what it cost, which hosts failed, and whether it needed
/// credentials.
#[derive(Debug, Default)]
pub struct Transfer {
    pub meter: Meter,
    down: Mutex<BTreeSet<String>>,
    is_private: AtomicBool,
}

impl Transfer {
    /// Whether everything so far was open to anyone.
    pub fn visibility(&self) -> Visibility {
        match self.is_private.load(Ordering::Relaxed) {
            true => Visibility::Private,
            false => Visibility::Public,
        }
    }

    /// Notes that credentials opened something.
    pub(super) fn note_private(&self) {
        self.is_private.store(true, Ordering::Relaxed);
    }

    /// Notes a host (`host[:port]`) that failed whatever it was asked for.
    pub(super) fn note_down(&self, host: &str) {
        self.down().insert(host.to_owned());
    }

    pub(super) fn is_down(&self, host: &str) -> bool {
        self.down().contains(host)
    }

    fn down(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A set of names is complete at any moment, so poison is ignored.
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
