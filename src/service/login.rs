//! `login` and `logout`: what a root keeps of the user's credentials.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fetch::{Checked, LoginError, LoginFile, Removed, Secret};
use crate::reference::Reference;

use super::{Error, Service};

/// A login that was stored.
#[derive(Debug, Clone, Serialize)]
pub struct LoggedIn {
    pub registry: String,
    pub username: String,
    /// Whether the registry said that it accepts the credentials; one that is
    /// open to all does not say.
    pub checked: bool,
    /// The file that keeps them.
    pub file: PathBuf,
}

#[derive(Debug, Clone, Serialize)]
pub struct LoggedOut {
    pub registry: String,
    pub status: LogoutStatus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogoutStatus {
    Removed,
    NotLoggedIn,
}

impl Service {
    /// Checks the credentials against the registry, and stores them if it
    /// accepts them.
    ///
    /// # Errors
    ///
    /// [`Error::Login`]; nothing is then stored.
    pub async fn login(
        &self,
        registry: &str,
        username: &str,
        secret: &Secret,
    ) -> Result<LoggedIn, Error> {
        let registry = registry_name(registry)?;
        let checked = self
            .fetcher
            .check_login(&registry, username, secret)
            .await?;
        let file = self.login_file();
        file.store(&registry, username, secret)
            .map_err(LoginError::from)?;
        Ok(LoggedIn {
            registry,
            username: username.to_owned(),
            checked: checked == Checked::Accepted,
            file: file.path(),
        })
    }

    /// Forgets a login. Needs no network.
    ///
    /// # Errors
    ///
    /// [`Error::Login`] when the file cannot be changed.
    pub fn logout(&self, registry: &str) -> Result<LoggedOut, Error> {
        let registry = registry_name(registry)?;
        let removed = self
            .login_file()
            .remove(&registry)
            .map_err(LoginError::from)?;
        Ok(LoggedOut {
            registry,
            status: match removed {
                Removed::Yes => LogoutStatus::Removed,
                Removed::NothingThere => LogoutStatus::NotLoggedIn,
            },
        })
    }

    fn login_file(&self) -> LoginFile {
        LoginFile::of_root(self.store.layout().root())
    }
}

/// Reads `host[:port]` as references do; the address of a registry will do too.
fn registry_name(text: &str) -> Result<String, LoginError> {
    let bare = ["https://", "http://", "oci://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .unwrap_or(text)
        .trim_end_matches('/');
    let bare = bare.strip_suffix("/v2").unwrap_or(bare);
    // Any repository: the parser of references knows what a registry is.
    match Reference::parse(&format!("oci://{bare}/name"), Path::new("/")) {
        Ok(Reference::Oci(oci)) if oci.repository() == "name" => Ok(oci.registry().to_owned()),
        _ => Err(LoginError::Registry {
            text: text.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_registries() {
        for (text, registry) in [
            ("ghcr.io", "ghcr.io"),
            ("GHCR.io", "ghcr.io"),
            ("https://ghcr.io/", "ghcr.io"),
            ("https://ghcr.io/v2/", "ghcr.io"),
            ("localhost:5000", "localhost:5000"),
            ("docker.io", "docker.io"),
        ] {
            assert_eq!(registry_name(text).expect(text), registry);
        }
        for text in [
            "",
            "/",
            "ghcr.io/acme",
            "user:pass@ghcr.io",
            "a b",
            "ghcr.io:port",
        ] {
            registry_name(text).expect_err(text);
        }
    }
}
