//! A cache of HTTP clients, keyed by certificates, trust and direction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;
use tokio::sync::OnceCell;

use super::tls::{self, Trust};
use super::{Access, Error, Options};

/// The settings in which clients differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub access: Access,
    pub trust: Trust,
    pub direction: Direction,
}

/// The direction of most of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    Down,
    /// Uploads. The server sends nothing while it receives, so the idle timeout
    /// is extended to the transfer timeout.
    Up,
}

/// One client per [`Kind`], built at first use.
#[derive(Default)]
pub(super) struct Clients {
    made: Mutex<HashMap<Kind, Arc<OnceCell<Client>>>>,
}

impl Clients {
    /// The client of this kind, built at first use.
    pub async fn get(&self, kind: Kind, options: &Options) -> Result<Client, Error> {
        let cell = {
            // A panic leaves the map consistent, so ignore poisoning.
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.entry(kind.clone()).or_default().clone()
        };
        let build = || async move {
            let mut options = options.clone();
            if kind.direction == Direction::Up {
                options.idle_timeout = options.transfer_timeout;
            }
            // Building blocks: it reads and parses over a hundred certificates.
            tokio::task::spawn_blocking(move || tls::client(kind.trust, &options, &kind.access))
                .await
                .map_err(Error::setup)?
        };
        cell.get_or_try_init(build).await.cloned()
    }
}
