//! Locks between processes.
//!
//! A lock belongs to the open file and not to the process. A child that another
//! thread starts shares all open files until it executes its program, so that
//! closing the file here would leave it locked for that long. Hence a lock is
//! released explicitly when it is dropped, and `clippy.toml` forbids locks of
//! files elsewhere.
#![expect(clippy::disallowed_methods, reason = "the one place that locks files")]

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::{Links, open_regular_with};

/// An exclusive lock, released when this is dropped. Where the locked file is
/// written to or removed, drop this after that.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Waits until the lock file is free and locks it, creating it at first use.
    ///
    /// # Errors
    ///
    /// What the disk refuses; that there is no regular file.
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        file.lock()?;
        Ok(FileLock(file))
    }

    /// Locks the lock file, creating it at first use; `None` while another has
    /// it.
    ///
    /// # Errors
    ///
    /// As for [`FileLock::take`].
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        FileLock::try_on(open(path)?)
    }

    /// Locks an open file; `None` while another has it. The clones of the file
    /// share the lock.
    ///
    /// # Errors
    ///
    /// Of filesystems without locks.
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

/// For its owner alone: others could hold the lock for ever.
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

    /// What a child holds that was forked and did not execute its program yet
    /// is a clone of the open file.
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
