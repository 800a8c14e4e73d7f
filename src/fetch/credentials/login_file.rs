//! What `wassette login` keeps: `<root>/auth.json`, in the form of Docker's
//! file, readable by its owner alone and replaced in one rename.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::docker::{Config, Entry};
use super::{Credential, Secret, Wanted, canonical_host};
use crate::error::{Class, Diagnose};

const NAME: &str = "auth.json";

/// The file of one root, which need not exist yet.
#[derive(Debug, Clone)]
pub struct LoginFile {
    root: PathBuf,
}

/// Whether there was something to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Yes,
    NothingThere,
}

/// Why a login could not be kept or forgotten.
#[derive(Debug, thiserror::Error)]
#[error("Failed to write `{}`", path.display())]
pub struct LoginFileError {
    path: PathBuf,
    source: io::Error,
}

impl Diagnose for LoginFileError {
    fn code(&self) -> &'static str {
        "login-not-stored"
    }

    fn class(&self) -> Class {
        Class::Other
    }

    fn hint(&self) -> Option<String> {
        Some("check the file and the permissions of its directory".into())
    }
}

impl LoginFile {
    pub fn of_root(root: impl Into<PathBuf>) -> Self {
        LoginFile { root: root.into() }
    }

    pub fn path(&self) -> PathBuf {
        self.root.join(NAME)
    }

    pub(super) fn find(&self, wanted: Wanted<'_>) -> Option<Credential> {
        let path = self.path();
        let config = Config::read(&path)?;
        warn_if_open(&path);
        config.entry(wanted).and_then(Entry::credential)
    }

    /// Keeps a login, in place of an older one to the same registry.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or replaced; it is then as before.
    pub fn store(
        &self,
        registry: &str,
        username: &str,
        secret: &Secret,
    ) -> Result<(), LoginFileError> {
        self.change(|config| {
            let entry = Entry::password(username, secret);
            config.auths.insert(canonical_host(registry), entry);
            Removed::Yes
        })
        .map(drop)
    }

    /// Forgets a login.
    ///
    /// # Errors
    ///
    /// As for [`LoginFile::store`].
    pub fn remove(&self, registry: &str) -> Result<Removed, LoginFileError> {
        if !self.path().exists() {
            return Ok(Removed::NothingThere);
        }
        self.change(
            |config| match config.auths.remove(&canonical_host(registry)) {
                Some(_) => Removed::Yes,
                None => Removed::NothingThere,
            },
        )
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Config) -> Removed,
    ) -> Result<Removed, LoginFileError> {
        self.replace(change).map_err(|source| LoginFileError {
            path: self.path(),
            source,
        })
    }

    fn replace(&self, change: impl FnOnce(&mut Config) -> Removed) -> io::Result<Removed> {
        private_dir(&self.root)?;
        // Of two logins at once, neither is lost.
        let lock = File::create(self.root.join(".auth.lock"))?;
        lock.lock()?;
        let mut config = match Config::parse(&self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Config::default(),
            config => config?,
        };
        let done = change(&mut config);
        // Temporary files are their owner's alone from the start.
        let mut file = NamedTempFile::new_in(&self.root)?;
        serde_json::to_writer_pretty(&mut file, &config)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(self.path())?;
        Ok(done)
    }
}

fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
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
