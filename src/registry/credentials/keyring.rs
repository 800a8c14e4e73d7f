//! The keyring of the operating system, by way of the helper that Docker has
//! for it, where one is installed and works.
//!
//! Logins are filed under an address of their own, beside those of Docker.

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

/// A keyring that answered.
#[derive(Debug)]
pub struct Keyring {
    /// The name without `docker-credential-`.
    helper: String,
    limit: Duration,
}

/// What a helper is told to keep.
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
    /// When its helper is not installed, or does not list what it has within
    /// the limit: without a session there is no keyring.
    pub async fn of_the_platform(limit: Duration) -> Result<Self, HelperError> {
        let keyring = Keyring::behind(HELPER, limit);
        keyring.ask("list", String::new()).await?;
        Ok(keyring)
    }

    /// The one that a login was given to.
    pub(super) fn behind(helper: &str, limit: Duration) -> Self {
        Keyring {
            helper: helper.to_owned(),
            limit,
        }
    }

    /// The program, by its whole name.
    pub fn program(&self) -> String {
        helper::program(&self.helper)
    }

    pub(super) fn helper(&self) -> &str {
        &self.helper
    }

    /// Keeps a login, and sees that it can be read again.
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

/// What the helper calls the registry. Some take nothing but addresses.
fn server(registry: &str) -> String {
    format!("https://{}/wassette", canonical_host(registry))
}
