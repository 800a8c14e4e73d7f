//! Directories of work under way, beside the components they may become.
//!
//! A staging directory is locked by its process for as long as it lives, so
//! that the next start can tell a leftover from a load under way.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::create_private;
use super::error::StoreError;
use super::layout::Layout;

const PREFIX: &str = "temp-";
const OWNER: &str = ".owner";
/// Begins the name of a file that is not whole yet; `tempfile` gives it.
const UNFINISHED: &str = ".tmp";

/// A private directory that vanishes when dropped, unless it was installed.
#[derive(Debug)]
pub struct Staging {
    dir: TempDir,
    _owner: File,
}

impl Staging {
    /// Makes an empty directory, creating the root at first use.
    pub fn create(layout: &Layout) -> Result<Self, StoreError> {
        let downloads = layout.downloads();
        create_private(&downloads)?;
        let failed = || StoreError::io("create a staging directory in", downloads.clone());
        // Between the directory's making and its locking no sweep may run.
        let _sweep = exclusive(&layout.lock())?;
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&downloads)
            .map_err(failed())?;
        let owner = File::create(dir.path().join(OWNER)).map_err(failed())?;
        owner.lock().map_err(failed())?;
        Ok(Staging { dir, _owner: owner })
    }

    /// Where downloads go.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the staging directories whose process is gone, and the files whose
/// writers are, and returns them.
pub(super) fn sweep(layout: &Layout) -> Result<Vec<PathBuf>, StoreError> {
    let downloads = beginning_with(PREFIX, &layout.downloads())?;
    let mut files = Vec::new();
    for component in beginning_with("", &layout.components())? {
        files.extend(beginning_with(UNFINISHED, &component).unwrap_or_default());
    }
    if downloads.is_empty() && files.is_empty() {
        return Ok(Vec::new());
    }
    let _sweep = exclusive(&layout.lock())?;
    let mut swept = Vec::new();
    for path in downloads {
        if !owned(&path) && fs::remove_dir_all(&path).is_ok() {
            swept.push(path);
        }
    }
    // Files in place are written under the lock, which no one has now.
    files.retain(|path| fs::remove_file(path).is_ok());
    swept.extend(files);
    Ok(swept)
}

fn beginning_with(prefix: &str, directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io("list", directory))?,
    };
    Ok(entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect())
}

/// Whether a living process holds the directory.
fn owned(dir: &Path) -> bool {
    match File::open(dir.join(OWNER)) {
        Ok(owner) => matches!(owner.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Takes the root's lock; it is free again when the file is dropped.
pub(super) fn exclusive(path: &Path) -> Result<File, StoreError> {
    let lock = lock_file(path)?;
    lock.lock().map_err(StoreError::io("lock", path))?;
    Ok(lock)
}

/// Opens a file to be locked, by its owner alone: others could hold it for ever.
pub(super) fn lock_file(path: &Path) -> Result<File, StoreError> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(StoreError::io("open", path))
}

/// Whether a file is one that its writer has not finished, or never will: the
/// next sweep removes it.
pub fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
}
