//! What the other modules ask of the filesystem.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exchanged {
    Yes,
    /// This system or filesystem cannot; nothing was changed.
    No,
}

/// Lets two directories change places in one step.
pub(super) fn exchange(staged: &Path, place: &Path) -> io::Result<Exchanged> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, staged, CWD, place, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(Exchanged::Yes),
            Err(error) if is_unsupported(error) => Ok(Exchanged::No),
            Err(error) => Err(error.into()),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    {
        let _ = (staged, place);
        Ok(Exchanged::No)
    }
}

/// Filesystems and kernels have several ways of saying so.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn is_unsupported(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&error)
}

/// Creates a directory, and those above it, for this user alone.
///
/// # Errors
///
/// What the disk refuses.
pub fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Forces a file's bytes, or a directory's entries, to disk.
pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(StoreError::io("sync", path))
}

/// Opens the file that a lock is on, creating it at first use.
pub(super) fn open_lock(path: &Path) -> Result<File, StoreError> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(StoreError::io("open", path))
}

/// Removes a file; one that is gone already is no error.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    or_gone(fs::remove_file(path)).map(drop)
}

/// Renames a directory; `None` when it is gone already.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<Option<()>> {
    or_gone(fs::rename(from, to))
}

/// The entries of a directory whose names begin so; none without one.
pub(super) fn beginning_with(prefix: &str, directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
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

fn or_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}
