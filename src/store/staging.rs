//! Staging directories, on the same filesystem as the components they may become.
//!
//! The process that uses a staging directory holds a lock on it, so that the next
//! start can tell a leftover from a running load.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use super::disk;
use super::error::StoreError;
use super::layout::Layout;
use super::wait::{self, Patience, Wait};
use crate::file::{FileLock, Links, create_private, open_regular};

const PREFIX: &str = "temp-";
const OWNER: &str = ".owner";
/// Prefix that `tempfile` gives to files that are still being written.
const UNFINISHED: &str = ".tmp";

/// A private directory that is removed when dropped, unless it was installed.
#[derive(Debug)]
pub struct Staging {
    // Fields drop in this order: the directory must be removed while it is locked.
    dir: TempDir,
    _owner: FileLock,
}

impl Staging {
    /// Creates an empty directory, and the root at first use.
    pub fn create(layout: &Layout, patience: Patience) -> Result<Self, StoreError> {
        let downloads = layout.downloads();
        create_private(&downloads).map_err(StoreError::io("create", &downloads))?;
        // Keeps sweeps out between creating the directory and locking it.
        let _sweep = exclusive(&layout.lock(), patience)?;
        Staging::within(&downloads)
    }

    /// Like [`Staging::create`], but for files that need not be renamed into the
    /// root: falls back to the system's temporary directory when the root is
    /// read-only.
    pub fn scratch(layout: &Layout) -> Result<Self, StoreError> {
        Staging::create(layout, Patience::default())
            .or_else(|error| Staging::within(&std::env::temp_dir()).map_err(|_| error))
    }

    fn within(parent: &Path) -> Result<Self, StoreError> {
        let failed = || StoreError::io("create a staging directory in", parent);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .map_err(failed())?;
        let owner = FileLock::take(&dir.path().join(OWNER)).map_err(failed())?;
        Ok(Staging { dir, _owner: owner })
    }

    /// Returns the directory to download into.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns its name within `downloads/`.
    pub(super) fn name(&self) -> String {
        let name = self.path().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Keeps the directory for the process that takes the root's lock next.
    pub(super) fn leave(self) {
        let _ = self.dir.keep();
    }
}

/// A directory that was moved aside; its files are removed when this is dropped. Moving it needs
/// no free disk space.
#[derive(Debug)]
pub(super) struct Removed(PathBuf);

impl Removed {
    /// Moves a directory aside, if it exists. The caller must hold the root's lock;
    /// deleting the files afterwards does not need it.
    pub fn take(layout: &Layout, directory: &Path) -> Result<Option<Self>, StoreError> {
        let downloads = layout.downloads();
        create_private(&downloads).map_err(StoreError::io("create", &downloads))?;
        let mut nth = 0;
        let aside = loop {
            let aside = downloads.join(format!("{PREFIX}removed-{nth}"));
            if !aside.exists() {
                break aside;
            }
            nth += 1;
        };
        let moved = disk::rename(directory, &aside).map_err(StoreError::io("remove", directory))?;
        Ok(moved.map(|()| Removed(aside)))
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        // The next sweep removes what could not be deleted.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes the staging directories of ended processes and the unfinished files of
/// killed writers, and returns their paths. The caller must hold the root's lock.
pub(super) fn sweep(layout: &Layout) -> Result<Vec<PathBuf>, StoreError> {
    let mut swept = Vec::new();
    for path in all(layout)? {
        if !is_owned(&path) && fs::remove_dir_all(&path).is_ok() {
            swept.push(path);
        }
    }
    // Such files are only written under the root's lock, which we hold: their writers
    // are gone.
    let mut written = disk::beginning_with("", &layout.components())?;
    written.push(layout.downloads());
    for component in written {
        let files = disk::beginning_with(UNFINISHED, &component).unwrap_or_default();
        swept.extend(
            files
                .into_iter()
                .filter(|path| fs::remove_file(path).is_ok()),
        );
    }
    Ok(swept)
}

/// Whether a file is still being written, or was left unfinished; a sweep removes it.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}

/// Returns all staging directories, of running and of ended processes.
pub(super) fn all(layout: &Layout) -> Result<Vec<PathBuf>, StoreError> {
    disk::beginning_with(PREFIX, &layout.downloads())
}

/// Whether a running process holds the directory, or may hold it.
pub(super) fn is_owned(dir: &Path) -> bool {
    match open_regular(&dir.join(OWNER), Links::Refuse) {
        Ok(owner) => !matches!(FileLock::try_on(owner), Ok(Some(_))),
        // The owner's file is made and locked before the root's lock is released, so
        // a missing one means that the owner is gone.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Takes a lock that is only ever held briefly, and touches its file to show waiters
/// that the holder is alive.
pub(super) fn exclusive(path: &Path, patience: Patience) -> Result<FileLock, StoreError> {
    let mut wait = None;
    loop {
        if let Some(lock) = FileLock::try_take(path).map_err(StoreError::io("lock", path))? {
            wait::touch(path);
            return Ok(lock);
        }
        let wait = wait.get_or_insert_with(|| Wait::new(path, patience));
        thread::sleep(wait.pause()?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_takes_what_the_dead_left_and_nothing_of_the_living() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let living = Staging::create(&layout, Patience::default()).unwrap();
        let leave = |name: &str| {
            let dir = layout.downloads().join(name);
            fs::create_dir(&dir).unwrap();
            dir
        };
        let (dead, unlocked, parts) = (leave("temp-dead"), leave("temp-removed-0"), leave("parts"));
        fs::write(dead.join(OWNER), "").unwrap();
        let mut swept = sweep(&layout).unwrap();
        swept.sort();
        assert_eq!(swept, [dead, unlocked]);
        assert!(living.path().is_dir() && parts.is_dir());
    }

    #[cfg(unix)]
    #[test]
    fn who_cannot_be_asked_may_be_alive() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        drop(Staging::create(&layout, Patience::default()).unwrap());
        let dir = layout.downloads().join("temp-odd");
        fs::create_dir(&dir).unwrap();
        // A symbolic link to itself, which cannot be opened.
        std::os::unix::fs::symlink(OWNER, dir.join(OWNER)).unwrap();
        assert!(sweep(&layout).unwrap().is_empty());
        assert!(dir.is_dir());
    }
}
