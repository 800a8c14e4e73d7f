//! Files of this machine: opening them without waiting, locking them, and
//! telling them apart.

mod lock;
mod open;

use std::fs::{self, File};
use std::io;
use std::path::Path;

pub use lock::FileLock;
pub use open::{Links, Unusable, open_regular, open_regular_with, read_regular, read_text};

/// Creates a directory, and those above it, for this user alone.
///
/// # Errors
///
/// What the disk refuses.
pub fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Forces a file's bytes, or a directory's entries, to disk.
///
/// # Errors
///
/// What the disk refuses.
#[cfg(unix)]
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Windows flushes only what is open for writing, and no directories.
#[cfg(not(unix))]
pub fn sync(path: &Path) -> io::Result<()> {
    match path.is_dir() {
        true => Ok(()),
        false => File::options().write(true).open(path)?.sync_all(),
    }
}

/// Whether the open file is the one that `path` names; a link names itself.
///
/// The crate `same-file` opens the path to find out, which waits where a pipe
/// is and fails where the file cannot be read.
#[cfg(unix)]
pub fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// Without a way to tell files apart, none is taken for another.
#[cfg(not(unix))]
pub fn is_at(_: &File, _: &Path) -> bool {
    false
}
