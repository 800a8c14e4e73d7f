//! The operating system's keyring, through Docker's credential helper for it,
//! if one is installed and works.
//!
//! Logins are stored under a URL that differs from Docker's, so that neither
//! program overwrites the other's.

use std::time::Duration;

use serde::Serialize;

use super::helper::{self, HelperError, Question};
use super::{Credential, canonical_host};
use crate::registry::Login;

#[cfg(target_os = "macos")]
const HELPER: &str = "osxkeychain";
#[cfg(windows)]
const HELPER: &str = "wincred";
#[cfg(not(any(target_os = "macos", windows)))]
const HELPER: &str = "secretservice";

/// A keyring, named by its helper.
#[derive(Debug)]
pub struct Keyring {
    /// The name without `docker-credential-`.
    helper: String,
    limit: Duration,
}

/// The input of a helper's `store` command.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(rename = "ServerURL")]
    server: String,
    username: &'a str,
    secret: &'a str,
}

impl Keyring {
    /// The keyring of this platform.
    ///
    /// # Errors
    ///
    /// If its helper is not installed or does not list its entries within the
    /// limit, as without a desktop session.
    pub async fn of_the_platform(limit: Duration) -> Result<Self, HelperError> {
        let keyring = Keyring::behind(HELPER, limit);
        keyring.ask("list", String::new()).await?;
        Ok(keyring)
    }

    /// The keyring of the helper that a login was stored with.
    pub(super) fn behind(helper: &str, limit: Duration) -> Self {
        Keyring {
            helper: helper.to_owned(),
            limit,
        }
    }

    /// The full name of the helper program.
    pub fn program(&self) -> String {
        helper::program(&self.helper)
    }

    pub(super) fn helper(&self) -> &str {
        &self.helper
    }

    /// Stores a login, and checks that it can be read back.
    pub(super) async fn store(&self, registry: &str, login: Login<'_>) -> Result<(), HelperError> {
        let Login { username, secret } = login;
        let entry = Entry {
            server: server(registry),
            username,
            secret: secret.expose(),
        };
        let text = serde_json::to_string(&entry).unwrap_or_default();
        self.ask("store", text).await?;
        let given = Credential::Password {
            username: username.to_owned(),
            secret: secret.clone(),
        };
        match self.find(registry).await? {
            Some(kept) if kept == given => Ok(()),
            _ => Err(HelperError::Garbage {
                program: self.program(),
            }),
        }
    }

    pub(super) async fn find(&self, registry: &str) -> Result<Option<Credential>, HelperError> {
        helper::ask(helper::Asked {
            name: &self.helper,
            server: server(registry),
            limit: self.limit,
        })
        .await
    }

    pub(super) async fn erase(&self, registry: &str) -> Result<(), HelperError> {
        self.ask("erase", server(registry)).await
    }

    async fn ask(&self, verb: &'static str, input: String) -> Result<(), HelperError> {
        let question = Question {
            verb,
            input: &input,
            limit: self.limit,
        };
        let program = helper::checked_program(&self.helper)?;
        let (status, _) = helper::run(&program, question).await?;
        match status.success() {
            true => Ok(()),
            false => Err(HelperError::Failed { program, status }),
        }
    }
}

/// The name of the registry for the helper. Some helpers accept only URLs.
fn server(registry: &str) -> String {
    format!("https://{}/wassette", canonical_host(registry))
}
