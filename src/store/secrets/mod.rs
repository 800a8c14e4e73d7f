//! The secrets of components: values that a person sets, and that a component sees
//! only as the environment variables it was granted.
//!
//! Each component has one file, `<root>/secrets/<id>.json`, which only its owner can
//! read and which is replaced in one rename. It belongs to the id and not to the
//! installation: it may exist before the component is loaded, and stays when the
//! component is unloaded or replaced.

mod disk;
mod error;
mod key;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::reference::ComponentId;
use crate::secret::{Redactor, Secret};

use super::{FileStamp, Layout};

pub use error::SecretError;
pub use key::SecretKey;

/// Largest value, in bytes.
pub const MAX_VALUE: usize = 64 << 10;
/// Most secrets of one component.
pub const MAX_KEYS: usize = 256;
/// Most bytes of all values of one component together.
pub const MAX_TOTAL: usize = 256 << 10;

/// The secrets of all components under one root.
#[derive(Debug, Clone)]
pub struct SecretStore {
    dir: PathBuf,
}

/// The secrets of one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<SecretKey, Secret>);

impl Secrets {
    pub fn get(&self, key: &str) -> Option<&Secret> {
        self.0.get(key)
    }

    /// Returns the names, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &SecretKey> {
        self.0.keys()
    }

    /// Returns the secrets, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&SecretKey, &Secret)> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a redactor that removes these values from text that a component produced.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.0.values())
    }

    fn check(&self) -> Result<(), SecretError> {
        let total: usize = self.0.values().map(|value| value.expose().len()).sum();
        if self.0.len() > MAX_KEYS || total > MAX_TOTAL {
            return Err(SecretError::TooMany);
        }
        Ok(())
    }
}

impl SecretStore {
    /// Opens the secrets of a root; creates nothing on disk.
    pub fn new(layout: &Layout) -> Self {
        SecretStore {
            dir: layout.secrets(),
        }
    }

    /// Returns a stamp that changes whenever the secrets of a component do; costs one `stat`.
    pub fn stamp(&self, id: &ComponentId) -> Option<FileStamp> {
        FileStamp::of_link(&self.file(id))
    }

    /// Lists the files that hold secrets, with the ids they belong to; `None` for a file whose
    /// name is no component id.
    ///
    /// # Errors
    ///
    /// When the directory cannot be listed.
    pub fn files(&self) -> io::Result<Vec<(PathBuf, Option<ComponentId>)>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            // The lock, and files that are still being written.
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let id = id.and_then(|id| ComponentId::parse(id).ok());
            files.push((entry.path(), id));
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Returns the secrets of a component; empty without a file.
    ///
    /// # Errors
    ///
    /// [`SecretError::Exposed`] when other users could have read or changed the file.
    pub fn get(&self, id: &ComponentId) -> Result<Secrets, SecretError> {
        disk::read(&self.dir, &self.file(id))
    }

    /// Adds secrets, replacing those of the same names.
    ///
    /// # Errors
    ///
    /// When a value or their total is too large, or the file cannot be replaced; the
    /// file is then unchanged.
    pub fn set(
        &self,
        id: &ComponentId,
        secrets: Vec<(SecretKey, Secret)>,
    ) -> Result<(), SecretError> {
        for (key, value) in &secrets {
            check_value(key, value)?;
        }
        self.change(id, |known| {
            known.0.extend(secrets);
            known.check()
        })
    }

    /// Deletes secrets.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotFound`] when one of them does not exist; none is then
    /// deleted.
    pub fn delete(&self, id: &ComponentId, keys: &[SecretKey]) -> Result<(), SecretError> {
        let missing = |known: &Secrets| {
            let missing = keys.iter().filter(|key| known.get(key.as_str()).is_none());
            let keys: Vec<SecretKey> = missing.cloned().collect();
            match keys.is_empty() {
                true => Ok(()),
                false => Err(SecretError::NotFound {
                    id: id.clone(),
                    keys,
                }),
            }
        };
        // Checked before locking too, so that no directory is created without
        // secrets.
        missing(&self.get(id)?)?;
        self.change(id, |known| {
            missing(known)?;
            known.0.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    /// Reads and writes under the lock, so that concurrent changes are not lost.
    fn change(
        &self,
        id: &ComponentId,
        change: impl FnOnce(&mut Secrets) -> Result<(), SecretError>,
    ) -> Result<(), SecretError> {
        let _lock = disk::lock(&self.dir)?;
        let file = self.file(id);
        let mut secrets = disk::read(&self.dir, &file)?;
        change(&mut secrets)?;
        disk::write(&self.dir, &file, &secrets)
    }

    fn file(&self, id: &ComponentId) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

fn check_value(key: &SecretKey, value: &Secret) -> Result<(), SecretError> {
    let key = || key.clone();
    match value.expose() {
        "" => Err(SecretError::Empty { key: key() }),
        text if text.contains('\0') => Err(SecretError::Nul { key: key() }),
        text if text.len() > MAX_VALUE => Err(SecretError::TooLarge { key: key() }),
        _ => Ok(()),
    }
}
