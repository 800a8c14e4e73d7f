//! The version that the last one replaced, kept so that people can go back.
//!
//! Its grants are not kept: what is granted stays granted whichever version is
//! in place, and what was revoked stays revoked.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::disk;
use super::error::StoreError;
use super::replace::{self, Fate};
use super::staging::Removed;
use super::{Installed, Metadata, Store, policy};
use crate::digest::Digest;
use crate::reference::ComponentId;

/// What going back did.
#[derive(Debug)]
pub struct WentBack {
    /// What is in place now.
    pub now: Installed,
    /// What it replaced; the next rollback brings it back.
    pub before: Metadata,
}

impl Store {
    /// The version before the one in place.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when it is not what was installed once.
    pub fn previous(&self, id: &ComponentId) -> Result<Option<Installed>, StoreError> {
        let files = self.layout.previous(id);
        if !files.dir.is_dir() {
            return Ok(None);
        }
        let damaged = |reason: String| StoreError::PreviousDamaged {
            id: id.clone(),
            reason,
        };
        let metadata = Metadata::read_either(&files).map_err(|error| damaged(error.to_string()))?;
        let (digest, _) =
            Digest::of_file(&files.wasm).map_err(|error| damaged(error.to_string()))?;
        if digest != metadata.digests.component {
            return Err(damaged(format!("its code is {digest}")));
        }
        Ok(Some(Installed { metadata, files }))
    }

    /// Puts the version before the one in place back, in one step. The two
    /// change places, so that another rollback undoes this one. To be called
    /// by who holds the component.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoPrevious`] when none is kept, or one of another source,
    /// to which nothing was granted; else as [`Store::previous`]. What is in
    /// place is then untouched.
    pub fn roll_back(&self, id: &ComponentId) -> Result<WentBack, StoreError> {
        let files = self.layout.component(id);
        self.settle_all();
        if !files.dir.is_dir() {
            return Err(StoreError::NotInstalled { id: id.clone() });
        }
        let before = Metadata::read_either(&files).map_err(|error| StoreError::Damaged {
            id: id.clone(),
            reason: format!("its metadata cannot be read ({error})"),
        })?;
        let previous = self
            .previous(id)?
            .filter(|previous| previous.metadata.source.same_source(&before.source))
            .ok_or_else(|| StoreError::NoPrevious { id: id.clone() })?;
        let staging = self.stage()?;
        let staged = replace::staged(&staging, id);
        let _lock = self.lock()?;
        self.record_names(&[&previous.metadata], &[])?;
        replace::link_all(&previous.files, &staged)
            .map_err(StoreError::io("roll back", &files.dir))?;
        // Syncs the directory, too.
        policy::carry(&files, &staged)?;
        self.replace(&staging, id, Fate::Kept)?;
        Ok(WentBack {
            now: Installed {
                metadata: previous.metadata,
                files,
            },
            before,
        })
    }

    /// Bytes that the previous version takes, and when it was replaced; none
    /// without one.
    pub fn previous_size(&self, id: &ComponentId) -> Option<(u64, SystemTime)> {
        let directory = self.layout.previous(id).dir;
        let files = fs::read_dir(&directory).ok()?.flatten();
        let bytes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
        let replaced = fs::metadata(&directory).ok()?.modified().ok()?;
        Some((bytes.sum(), replaced))
    }

    /// Removes the previous version, if there is one. Needs no room on the
    /// disk.
    ///
    /// # Errors
    ///
    /// What the disk refuses.
    pub fn forget_previous(&self, id: &ComponentId) -> Result<(), StoreError> {
        let lock = self.lock()?;
        let removed = Removed::take(&self.layout, &self.layout.previous(id).dir);
        drop(lock);
        removed.map(drop)
    }

    /// Removes the previous versions of what is not installed any more, and
    /// returns the paths. The root's lock is held.
    pub(super) fn sweep_previous(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut kept = disk::beginning_with("", &self.layout.all_previous())?;
        kept.retain(|kept| {
            let component = kept.file_name().map(|id| self.layout.components().join(id));
            component.is_some_and(|component| !component.exists())
        });
        kept.retain(|orphan| matches!(Removed::take(&self.layout, orphan), Ok(Some(_))));
        Ok(kept)
    }
}
