//! The file of `wassette login`: `<root>/auth.json`, in the format of Docker's
//! file, with mode 0600 and replaced by a rename. For a login in the keyring,
//! the file has only the name of the helper.

#[cfg(unix)]
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::docker::{Config, Entry};
use super::helper::HelperError;
use super::keyring::Keyring;
use super::{Credential, Wanted, canonical_host};
use crate::error::{Class, Diagnose};
use crate::file::{FileLock, create_private};
use crate::registry::Login;

const NAME: &str = "auth.json";

/// The login file of a root. It may not exist yet.
#[derive(Debug, Clone)]
pub struct LoginFile {
    root: PathBuf,
}

/// Whether a login was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Yes,
    NothingThere,
}

/// Where to store a login.
#[derive(Debug)]
pub enum Place {
    File,
    Keyring(Keyring),
}

/// A login could not be stored or removed.
#[derive(Debug, thiserror::Error)]
pub enum LoginFileError {
    #[error("Failed to write `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("The keyring cannot be used")]
    Keyring(#[from] HelperError),
}

impl Diagnose for LoginFileError {
    fn code(&self) -> &'static str {
        "login-not-stored"
    }

    fn class(&self) -> Class {
        Class::Other
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            LoginFileError::File { .. } => {
                "check the file and the permissions of its directory".into()
            }
            LoginFileError::Keyring(_) => {
                "unlock the keyring, or keep the login in the root: `--store file`".into()
            }
        })
    }
}

impl LoginFile {
    pub fn of_root(root: impl Into<PathBuf>) -> Self {
        LoginFile { root: root.into() }
    }

    /// `<root>/auth.json`.
    pub fn path(&self) -> PathBuf {
        self.root.join(NAME)
    }

    /// The credential for a registry. Warns if its keyring does not respond.
    pub(super) async fn find(&self, wanted: Wanted<'_>, limit: Duration) -> Option<Credential> {
        let path = self.path();
        let config = Config::read(&path)?;
        warn_if_open(&path);
        let Some(helper) = config.helpers(wanted.registry).next() else {
            return config.entry(wanted).and_then(Entry::credential);
        };
        match Keyring::behind(helper, limit).find(wanted.registry).await {
            Ok(credential) => credential,
            Err(error) => {
                tracing::warn!("{error}; looking for credentials elsewhere");
                None
            }
        }
    }

    /// Stores a login, and replaces an older one to the same registry.
    ///
    /// # Errors
    ///
    /// If the keyring refuses it, or the file cannot be read or replaced. The
    /// file is then unchanged.
    pub async fn store(
        &self,
        registry: &str,
        place: &Place,
        login: Login<'_>,
    ) -> Result<(), LoginFileError> {
        if let Place::Keyring(keyring) = place {
            keyring.store(registry, login).await?;
        }
        let host = canonical_host(registry);
        self.change(|config| {
            config.forget(&host);
            match place {
                Place::File => {
                    let entry = Entry::password(login);
                    config.auths.insert(host, entry);
                }
                Place::Keyring(keyring) => {
                    let helper = keyring.helper().to_owned();
                    config.cred_helpers.insert(host, helper);
                }
            }
            Removed::Yes
        })
        .map(drop)
    }

    /// Removes a login, from the keyring first.
    ///
    /// # Errors
    ///
    /// As for [`LoginFile::store`].
    pub async fn remove(&self, registry: &str, limit: Duration) -> Result<Removed, LoginFileError> {
        let path = self.path();
        if !path.exists() {
            return Ok(Removed::NothingThere);
        }
        let config =
            Config::parse(&path).map_err(|source| LoginFileError::File { path, source })?;
        if let Some(helper) = config.helpers(registry).next() {
            Keyring::behind(helper, limit).erase(registry).await?;
        }
        self.change(|config| config.forget(&canonical_host(registry)))
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Config) -> Removed,
    ) -> Result<Removed, LoginFileError> {
        self.replace(change).map_err(|source| LoginFileError::File {
            path: self.path(),
            source,
        })
    }

    fn replace(&self, change: impl FnOnce(&mut Config) -> Removed) -> io::Result<Removed> {
        create_private(&self.root)?;
        // The lock keeps concurrent logins from overwriting each other.
        let _lock = FileLock::take(&self.root.join(".auth.lock"))?;
        let mut config = match Config::parse(&self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Config::default(),
            config => config?,
        };
        let done = change(&mut config);
        // `NamedTempFile` creates the file with mode 0600.
        let mut file = NamedTempFile::new_in(&self.root)?;
        serde_json::to_writer_pretty(&mut file, &config)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(self.path())?;
        Ok(done)
    }
}

impl Config {
    fn forget(&mut self, host: &str) -> Removed {
        let helper = self.cred_helpers.remove(host).is_some();
        match self.auths.remove(host).is_some() || helper {
            true => Removed::Yes,
            false => Removed::NothingThere,
        }
    }
}

fn warn_if_open(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let open = fs::metadata(path).is_ok_and(|file| file.mode() & 0o077 != 0);
        if open {
            let path = path.display();
            tracing::warn!("`{path}` can be read by others; run `chmod 600 {path}`");
        }
    }
}
