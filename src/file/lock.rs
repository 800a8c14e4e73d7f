//! Locks between processes.
//!
//! A lock belongs to the open file, not to the process. A child process that
//! another thread forks shares all open files until it calls `exec`, so closing
//! the file here would leave it locked until then. Hence `Drop` unlocks
//! explicitly, and `clippy.toml` forbids file locks elsewhere.
#![expect(clippy::disallowed_methods, reason = "the one place that locks files")]

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::{Links, open_regular_with};

/// An exclusive lock, released when dropped. Drop it only after the locked file
/// has been written or removed.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Waits for the lock of the lock file, which is created if missing.
    ///
    /// # Errors
    ///
    /// I/O errors; [`Unusable`](super::Unusable) if the path is not a regular
    /// file.
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock()?;
        Ok(FileLock(file))
    }

    /// Tries to lock the lock file, which is created if missing; `None` if it
    /// is locked.
    ///
    /// # Errors
    ///
    /// As for [`FileLock::take`].
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        FileLock::try_on(open(path)?)
    }

    /// Tries to lock an open file; `None` if it is locked. Clones of the file
    /// share the lock.
    ///
    /// # Errors
    ///
    /// If the file system does not support locks.
    pub fn try_on(file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(FileLock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // If this fails, closing the file releases the lock.
        let _ = self.0.unlock();
    }
}

/// Mode 0600, because other users could otherwise hold the lock for ever.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    open_regular_with(path, &mut options, Links::Follow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = FileLock::take(&path).unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        drop(first);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }

    /// A child process that was forked but has not executed its program yet holds a clone of the
    /// open file.
    #[test]
    fn it_is_free_although_the_file_is_still_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let file = open(&path).unwrap();
        let in_a_child = file.try_clone().unwrap();
        drop(FileLock::try_on(file).unwrap().unwrap());
        assert!(FileLock::try_take(&path).unwrap().is_some());
        drop(in_a_child);
    }

    #[cfg(unix)]
    #[test]
    fn lock_files_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        FileLock::take(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
