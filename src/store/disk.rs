//! Filesystem operations that the rest of the store uses.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::layout::ComponentFiles;
use crate::file;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exchanged {
    Yes,
    /// This system or filesystem does not support it; nothing was changed.
    No,
}

/// Exchanges two directories in one step.
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

/// Errors by which filesystems and kernels report that they cannot exchange.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn is_unsupported(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&error)
}

/// Forces a file's bytes, or a directory's entries, to disk.
pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    file::sync(path).map_err(StoreError::io("sync", path))
}

/// Removes a file; a missing one is no error.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    or_gone(fs::remove_file(path)).map(drop)
}

/// Renames a directory; `None` if it does not exist.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<Option<()>> {
    or_gone(fs::rename(from, to))
}

/// Returns the entries of a directory whose names start with `prefix`; empty if the directory does
/// not exist.
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

/// Whether only this user and root own and may write to the file or directory.
pub fn ours_alone(metadata: &Metadata) -> bool {
    is_ours(metadata) && !is_open(metadata, 0o022)
}

/// Why another user could have written a component's directory, code or metadata;
/// `None` if none could have.
pub(super) fn foreign(files: &ComponentFiles) -> Option<String> {
    let dir = fs::metadata(&files.dir).ok()?;
    if !ours_alone(&dir) {
        return Some("its directory belongs to another user, or others may change it".into());
    }
    [&files.wasm, &files.metadata, &files.metadata_copy]
        .into_iter()
        .find(|path| fs::metadata(path).is_ok_and(|file| is_foreign(&file, &dir)))
        .map(|path| {
            let name = path.file_name().unwrap_or_default().display();
            format!("`{name}` belongs to another user, or others may change it")
        })
}

/// Whether another user could have written this file, given that its directory is
/// [`ours_alone`]. A user who may not enter the directory cannot write to its files,
/// whatever their modes.
pub(super) fn is_foreign(file: &Metadata, dir: &Metadata) -> bool {
    !is_ours(file) || (is_open(file, 0o022) && is_open(dir, 0o011))
}

#[cfg(unix)]
fn is_ours(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    [rustix::process::geteuid().as_raw(), 0].contains(&metadata.uid())
}

#[cfg(unix)]
fn is_open(metadata: &Metadata, bits: u32) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & bits != 0
}

/// On other systems the root lies in the user's directory by default, which is closed
/// to other users.
#[cfg(not(unix))]
fn is_ours(_: &Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn is_open(_: &Metadata, _: u32) -> bool {
    false
}

fn or_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}
