//! State of one fetch or push.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::net::Meter;

/// Whether the content can be fetched anonymously.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// It was fetched without credentials.
    Public,
    /// Credentials or a client certificate were used.
    Private,
    /// It was fetched before this was recorded.
    #[default]
    Unknown,
}

/// State of one fetch or push: its counters, which hosts are down, and whether
/// it used credentials.
#[derive(Debug, Default)]
pub struct Transfer {
    pub meter: Meter,
    down: Mutex<BTreeSet<String>>,
    is_private: AtomicBool,
}

impl Transfer {
    /// Whether all requests so far succeeded without credentials.
    pub fn visibility(&self) -> Visibility {
        match self.is_private.load(Ordering::Relaxed) {
            true => Visibility::Private,
            false => Visibility::Public,
        }
    }

    /// Records that a request succeeded with credentials.
    pub(super) fn note_private(&self) {
        self.is_private.store(true, Ordering::Relaxed);
    }

    /// Records that a host (`host[:port]`) is down.
    pub(super) fn note_down(&self, host: &str) {
        self.down().insert(host.to_owned());
    }

    pub(super) fn is_down(&self, host: &str) -> bool {
        self.down().contains(host)
    }

    fn down(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A panic leaves the set consistent, so ignore poisoning.
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
