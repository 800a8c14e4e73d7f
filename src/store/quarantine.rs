//! Components that are not what was installed, out of the way.

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
    /// Moves a component aside, so that it is neither served nor lost, and
    /// returns where to; `None` if it was replaced by a sound one meanwhile.
    ///
    /// # Errors
    ///
    /// What the disk refuses; the component is then still in its place.
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
        // Whoever loads it again begins anew, perhaps from another source.
        disk::rename(&self.layout.previous(id).dir, &place.join("previous"))
            .map_err(StoreError::io("move", &files.dir))?;
        Ok(Some(place))
    }

    /// Moves what lies beside a component aside, whatever it is: a record, or
    /// the version before.
    ///
    /// # Errors
    ///
    /// What the disk refuses; it is then still in its place.
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

    /// The names of what was moved aside.
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

/// By its bytes, whatever its stamp says.
fn is_sound(files: &ComponentFiles) -> bool {
    match (Metadata::read_either(files), Digest::of_file(&files.wasm)) {
        (Ok(metadata), Ok((digest, _))) => digest == metadata.digests.component,
        _ => false,
    }
}
