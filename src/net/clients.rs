//! The clients, some of them for hosts with certificates or timeouts of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;
use tokio::sync::OnceCell;

use super::tls::{self, Trust};
use super::{Access, Error, Options};

/// What tells one client from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub access: Access,
    pub trust: Trust,
    pub direction: Direction,
}

/// Where most of the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    Down,
    /// The server is silent while it receives, for as long as that takes.
    Up,
}

/// One client for each way of access and trust, made at first use.
#[derive(Default)]
pub(super) struct Clients {
    made: Mutex<HashMap<Kind, Arc<OnceCell<Client>>>>,
}

impl Clients {
    pub async fn get(&self, kind: Kind, options: &Options) -> Result<Client, Error> {
        let cell = {
            // The map is whole between any two statements.
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.entry(kind.clone()).or_default().clone()
        };
        let build = || async move {
            let mut options = options.clone();
            if kind.direction == Direction::Up {
                options.idle_timeout = options.transfer_timeout;
            }
            // Reads and parses a hundred certificates.
            tokio::task::spawn_blocking(move || tls::client(kind.trust, &options, &kind.access))
                .await
                .map_err(Error::setup)?
        };
        cell.get_or_try_init(build).await.cloned()
    }
}
