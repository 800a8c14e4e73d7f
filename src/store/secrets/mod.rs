//! The secrets of components: values that only a person sets, and that a
//! component sees only under a key it was granted.
//!
//! One file for each component, `<root>/secrets/<id>.json`, readable by its
//! owner alone and replaced in one rename. It belongs to the id and not to the
//! installation: it can be there before the component is, and stays when the
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

/// Bytes of one value.
pub const MAX_VALUE: usize = 64 << 10;
/// Secrets of one component.
pub const MAX_KEYS: usize = 256;
/// Bytes of all values of one component together.
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

    /// In order of name.
    pub fn keys(&self) -> impl Iterator<Item = &SecretKey> {
        self.0.keys()
    }

    /// In order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&SecretKey, &Secret)> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What takes these secrets out of the component's words.
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
    /// Looks at a root without creating anything.
    pub fn new(layout: &Layout) -> Self {
        SecretStore {
            dir: layout.secrets(),
        }
    }

    /// Changes whenever the secrets of a component do; costs one `stat`.
    pub fn stamp(&self, id: &ComponentId) -> Option<FileStamp> {
        FileStamp::of_link(&self.file(id))
    }

    /// The files that hold secrets and whose they are; nobody's when no
    /// component can have that name.
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
            // The lock, and what is about to be a file.
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

    /// The secrets of a component; none is no error.
    ///
    /// # Errors
    ///
    /// [`SecretError::Exposed`] when others could have read or changed them.
    pub fn get(&self, id: &ComponentId) -> Result<Secrets, SecretError> {
        disk::read(&self.dir, &self.file(id))
    }

    /// Adds secrets, in place of those of the same names.
    ///
    /// # Errors
    ///
    /// When a value or all of them are too large, or the file cannot be
    /// replaced; it is then as before.
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

    /// Forgets secrets.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotFound`] when one of them is not there; none is then
    /// forgotten.
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
        // Without any secrets not even the directory is made.
        missing(&self.get(id)?)?;
        self.change(id, |known| {
            missing(known)?;
            known.0.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    /// Of two changes at once, by any process, neither is lost.
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
