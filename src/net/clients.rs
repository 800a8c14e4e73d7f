//! The clients, some of them for hosts with certificates or timeouts of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;
use tokio::sync::OnceCell;

use super::tls::{self, Trust};
use super::{Access, Error, Options};

type Key = (Access, Trust);

/// One client for each way of access and trust, made at first use.
#[derive(Default)]
pub(super) struct Clients {
    made: Mutex<HashMap<Key, Arc<OnceCell<Client>>>>,
}

impl Clients {
    pub async fn get(
        &self,
        access: &Access,
        trust: Trust,
        options: &Options,
    ) -> Result<Client, Error> {
        let cell = {
            // The map is whole between any two statements.
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.entry((access.clone(), trust)).or_default().clone()
        };
        let build = || async move {
            let (access, options) = (access.clone(), options.clone());
            // Reads and parses a hundred certificates.
            tokio::task::spawn_blocking(move || tls::client(trust, &options, &access))
                .await
                .map_err(Error::setup)?
        };
        cell.get_or_try_init(build).await.cloned()
    }
}
