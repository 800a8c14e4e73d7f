//! `login` and `logout`: the credentials that a root stores for the user.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::reference::Reference;
use crate::registry::{
    Checked, Keyring, Login, LoginError, LoginFile, LoginFileError, Place, Removed,
};

use super::{Error, Service};

/// How long the keyring may take to answer.
const PROBE: Duration = Duration::from_secs(5);
/// Longer, because a person may have to unlock it.
const UNLOCK: Duration = Duration::from_secs(60);

/// Where to store a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginStore {
    /// In the keyring if there is a working one, otherwise in the file.
    #[default]
    Any,
    /// In `auth.json` in the root.
    File,
    /// In the keyring of the operating system, or not at all.
    Keyring,
}

/// A login that was stored.
#[derive(Debug, Clone, Serialize)]
pub struct LoggedIn {
    pub registry: String,
    pub username: String,
    /// Whether the registry confirmed the credentials; a registry that needs none
    /// cannot.
    pub checked: bool,
    /// The root's `auth.json`; for a login in the keyring it names the helper
    /// program.
    pub file: PathBuf,
    /// The helper program that stores the login in the keyring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyring: Option<String>,
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
    /// Checks the credentials with the registry, and stores them if it accepts them.
    ///
    /// # Errors
    ///
    /// [`Error::Login`]; nothing is then stored.
    pub async fn login(
        &self,
        registry: &str,
        login: Login<'_>,
        wanted: LoginStore,
    ) -> Result<LoggedIn, Error> {
        let registry = registry_name(registry)?;
        let checked = self
            .installer
            .fetcher
            .registries()
            .check_login(&registry, login)
            .await?;
        let file = self.login_file();
        let keyring = match place(wanted).await.map_err(LoginError::from)? {
            Some(keyring) => {
                let program = keyring.program();
                let place = Place::Keyring(keyring);
                let kept = file.store(&registry, &place, login).await;
                match kept {
                    Err(LoginFileError::Keyring(error)) if wanted == LoginStore::Any => {
                        tracing::warn!("the login goes to a file: {error}");
                        None
                    }
                    kept => kept.map(|()| Some(program)).map_err(LoginError::from)?,
                }
            }
            None => None,
        };
        if keyring.is_none() {
            let kept = file.store(&registry, &Place::File, login).await;
            kept.map_err(LoginError::from)?;
        }
        Ok(LoggedIn {
            registry,
            username: login.username.to_owned(),
            checked: checked == Checked::Accepted,
            file: file.path(),
            keyring,
        })
    }

    /// Removes a login. Needs no network.
    ///
    /// # Errors
    ///
    /// [`Error::Login`] when the file cannot be changed.
    pub async fn logout(&self, registry: &str) -> Result<LoggedOut, Error> {
        let registry = registry_name(registry)?;
        let removed = self
            .login_file()
            .remove(&registry, UNLOCK)
            .await
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
        LoginFile::of_root(self.disk.layout().root())
    }
}

/// The keyring to use, if one is wanted and works.
async fn place(wanted: LoginStore) -> Result<Option<Keyring>, LoginFileError> {
    match wanted {
        LoginStore::File => Ok(None),
        LoginStore::Keyring => Ok(Some(Keyring::of_the_platform(UNLOCK).await?)),
        LoginStore::Any => Ok(Keyring::of_the_platform(PROBE)
            .await
            .inspect_err(|error| tracing::debug!("no keyring is used: {error}"))
            .ok()),
    }
}

/// Parses `host[:port]`, or a registry's URL.
fn registry_name(text: &str) -> Result<String, LoginError> {
    let bare = ["https://", "http://", "oci://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .unwrap_or(text)
        .trim_end_matches('/');
    let bare = bare.strip_suffix("/v2").unwrap_or(bare);
    // With any repository appended, the parser of references checks the registry.
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
