//! Clients for hosts with certificates or timeouts of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Client;
use tokio::sync::OnceCell;
use url::Url;

use super::{Access, HttpError, tls};
use crate::fetch::FetchOptions;

type Key = (Access, bool);

/// One client for each way of access and scheme, made at first use.
#[derive(Default)]
pub(super) struct HostClients {
    made: Mutex<HashMap<Key, Arc<OnceCell<Client>>>>,
}

impl HostClients {
    pub async fn get(
        &self,
        access: &Access,
        url: &Url,
        options: &FetchOptions,
    ) -> Result<Client, HttpError> {
        let secure = url.scheme() == "https";
        let cell = {
            // The map is whole between any two statements.
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.entry((access.clone(), secure)).or_default().clone()
        };
        let (access, options) = (access.clone(), options.clone());
        let build = || async move {
            // Reads certificates.
            tokio::task::spawn_blocking(move || match secure {
                true => tls::secure(&options, &access),
                false => tls::plain(&options),
            })
            .await
            .map_err(HttpError::setup)?
        };
        cell.get_or_try_init(build).await.cloned()
    }
}
