//! The version that the last one replaced, kept so that people can go back.
//!
//! Its grants are not kept: what is granted stays granted whichever version is
//! in place, and what was revoked stays revoked.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::error::StoreError;
use super::layout::ComponentFiles;
use super::{
    Exchanged, Installed, Metadata, Store, create_private, exchange, policy, replace, staging, sync,
};
use crate::digest::Digest;
use crate::reference::ComponentId;

/// What going back did.
#[derive(Debug)]
pub struct WentBack {
    /// What is in place now.
    pub now: Installed,
    /// What it replaced; the next rollback brings it back.
    pub before: Option<Metadata>,
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
        let metadata = Metadata::read(&files.metadata)
            .or_else(|_| Metadata::read(&files.metadata_copy))
            .map_err(|error| damaged(error.to_string()))?;
        let (digest, _) =
            Digest::of_file(&files.wasm).map_err(|error| damaged(error.to_string()))?;
        if digest != metadata.digests.component {
            return Err(damaged(format!("its code is {digest}")));
        }
        Ok(Some(Installed { metadata, files }))
    }

    /// Puts the version before the one in place back, in one step. The two
    /// change places, so that another rollback undoes this one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoPrevious`] when none is kept, else as
    /// [`Store::previous`]; what is in place is then untouched.
    pub fn roll_back(&self, id: &ComponentId) -> Result<WentBack, StoreError> {
        let files = self.layout.component(id);
        if !files.dir.is_dir() {
            return Err(StoreError::NotInstalled { id: id.clone() });
        }
        let staging = self.stage()?;
        let _lock = staging::exclusive(&self.layout.lock())?;
        let previous = self
            .previous(id)?
            .ok_or_else(|| StoreError::NoPrevious { id: id.clone() })?;
        let before = Metadata::read(&files.metadata).ok();
        let staged = ComponentFiles::within(staging.path().join("component"), id);
        let failed = || StoreError::io("roll back", &files.dir);
        link_all(&previous.files, &staged).map_err(failed())?;
        // Syncs the directory, too.
        policy::carry(&files, &staged)?;
        let old = replace(&staged.dir, &files.dir).map_err(failed())?;
        sync(&self.layout.components())?;
        self.keep_previous(&old, id);
        Ok(WentBack {
            now: Installed {
                metadata: previous.metadata,
                files,
            },
            before,
        })
    }

    /// Keeps the directory of a replaced version, if it is sound; what was
    /// kept before takes its place, to go where it was to go. The component is
    /// in place already, so that this may fail.
    pub(super) fn keep_previous(&self, old: &Path, id: &ComponentId) {
        let kept = self.layout.previous(id);
        let keep = || {
            create_private(&self.layout.all_previous()).map_err(io::Error::other)?;
            let grants = ComponentFiles::within(old.to_owned(), id);
            for path in [&grants.policy, &grants.policy_record] {
                remove_file(path)?;
            }
            // Not every filesystem lets a directory's time be set.
            let _ = File::open(old).and_then(|dir| dir.set_modified(SystemTime::now()));
            if !kept.dir.exists() {
                return fs::rename(old, &kept.dir);
            }
            if exchange(old, &kept.dir)? == Exchanged::No {
                fs::rename(&kept.dir, old.with_extension("older"))?;
                fs::rename(old, &kept.dir)?;
            }
            Ok(())
        };
        if let Err(error) = keep() {
            tracing::warn!("the previous version of `{id}` is not kept: {error}");
        }
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

    /// Removes the previous version, if there is one.
    ///
    /// # Errors
    ///
    /// What the disk refuses.
    pub fn forget_previous(&self, id: &ComponentId) -> Result<(), StoreError> {
        let directory = self.layout.previous(id).dir;
        if !directory.is_dir() {
            return Ok(());
        }
        let staging = self.stage()?;
        let _lock = staging::exclusive(&self.layout.lock())?;
        match fs::rename(&directory, staging.path().join("previous")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            moved => moved.map_err(StoreError::io("remove", directory)),
        }
    }
}

/// A directory of the same files, but not of what is carried over from the
/// version in place; links where the filesystem has them.
fn link_all(from: &ComponentFiles, to: &ComponentFiles) -> io::Result<()> {
    create_private(&to.dir).map_err(io::Error::other)?;
    let carried = [&from.policy, &from.policy_record, &from.used];
    for entry in fs::read_dir(&from.dir)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.dir.join(entry.file_name()));
        if !carried.contains(&&from) {
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop))?;
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
