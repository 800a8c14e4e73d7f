//! Moves components whose bytes changed to the quarantine.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Store;
use super::check::Seen;
use super::disk::{self, sync};
use super::error::StoreError;
use super::layout::ComponentFiles;
use super::metadata::Metadata;
use crate::digest::Digest;
use crate::file::create_private;
use crate::reference::ComponentId;

impl Store {
    /// Moves a component to the quarantine, so that it is neither served nor lost,
    /// and returns its new path; `None` if another process replaced it by a sound one
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// When the disk refuses; the component is then not moved.
    pub fn quarantine(&self, id: &ComponentId) -> Result<Option<PathBuf>, StoreError> {
        let files = self.layout.component(id);
        let place = self.place_aside(id.as_str())?;
        let _lock = loop {
            let seen = Seen::of(&files);
            if is_sound(&files) {
                return Ok(None);
            }
            let lock = self.lock()?;
            if Seen::of(&files) == seen {
                break lock;
            }
        };
        fs::rename(&files.dir, &place).map_err(StoreError::io("move", &files.dir))?;
        sync(&self.layout.components())?;
        // A later load starts without a previous version: it may have another source.
        disk::rename(&self.layout.previous(id).dir, &place.join("previous"))
            .map_err(StoreError::io("move", &files.dir))?;
        Ok(Some(place))
    }

    /// Moves a damaged file or directory, such as a record or a previous version, to
    /// the quarantine.
    ///
    /// # Errors
    ///
    /// When the disk refuses; the path is then not moved.
    pub fn set_aside(&self, path: &Path) -> Result<(), StoreError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let place = self.place_aside(&name)?;
        let _lock = self.lock()?;
        fs::rename(path, place).map_err(StoreError::io("move", path))?;
        sync(path.parent().unwrap_or(path))
    }

    fn place_aside(&self, name: &str) -> Result<PathBuf, StoreError> {
        let directory = self.layout.quarantine();
        create_private(&directory).map_err(StoreError::io("create", &directory))?;
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%6f");
        Ok(directory.join(format!("{name}-{now}")))
    }

    /// Returns the names of everything in the quarantine.
    pub fn quarantined(&self) -> Vec<String> {
        let entries = fs::read_dir(self.layout.quarantine());
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }
}

/// Compares the digest of the bytes, whatever the stamp says. A file that is larger than
/// what was installed is not hashed.
fn is_sound(files: &ComponentFiles) -> bool {
    let Ok(metadata) = Metadata::read_either(files) else {
        return false;
    };
    let size = metadata.validation_stamp.file_size;
    Digest::of_file_within(&files.wasm, size)
        .is_ok_and(|(digest, _)| digest == metadata.digests.component)
}
