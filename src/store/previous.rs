//! The previous version of a component, kept for rollbacks.
//!
//! Its grants and the rules for its tools are not kept: they belong to the component,
//! not to one version, so revoked grants and hidden tools stay so.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::disk;
use super::error::StoreError;
use super::names::Coming;
use super::replace::{self, Fate};
use super::staging::Removed;
use super::{Installed, Metadata, Rules, Store, policy, rules};
use crate::digest::Digest;
use crate::reference::ComponentId;

/// The outcome of a rollback.
#[derive(Debug)]
pub struct WentBack {
    /// The version installed now.
    pub now: Installed,
    /// The version it replaced; the next rollback brings it back.
    pub before: Metadata,
}

impl Store {
    /// Returns the previous version of a component.
    ///
    /// # Errors
    ///
    /// [`StoreError::PreviousDamaged`] when its files do not pass the check.
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

    /// Exchanges the installed version and the previous one in one step, so that a
    /// second rollback undoes the first. The caller must hold the component's lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoPrevious`] when no version is kept, or only one from another
    /// source, to which nothing was granted; otherwise as [`Store::previous`]. The
    /// installed version is then untouched.
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
        self.record_names(&[Coming::kept(&previous.metadata)], &[])?;
        replace::link_all(&previous.files, &staged)
            .map_err(StoreError::io("roll back", &files.dir))?;
        rules::give(&Rules::Kept, Some(&files), &staged)?;
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

    /// Returns the bytes of the previous version, and when it was replaced; `None` without one.
    pub fn previous_size(&self, id: &ComponentId) -> Option<(u64, SystemTime)> {
        let directory = self.layout.previous(id).dir;
        let files = fs::read_dir(&directory).ok()?.flatten();
        let bytes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
        let replaced = fs::metadata(&directory).ok()?.modified().ok()?;
        Some((bytes.sum(), replaced))
    }

    /// Removes the previous version, if there is one, without needing free disk
    /// space.
    ///
    /// # Errors
    ///
    /// When the directory cannot be moved or the lock cannot be taken.
    pub fn forget_previous(&self, id: &ComponentId) -> Result<(), StoreError> {
        let lock = self.lock()?;
        let removed = Removed::take(&self.layout, &self.layout.previous(id).dir);
        drop(lock);
        removed.map(drop)
    }

    /// Removes the previous versions of components that are no longer installed, and
    /// returns the paths. The caller must hold the root's lock.
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
