//! Opening files without blocking, locking and comparing them.

mod lock;
mod open;

use std::fs::{self, File};
use std::io;
use std::path::Path;

pub use lock::FileLock;
pub use open::{Links, Unusable, open_regular, open_regular_with, read_regular, read_text};

/// Creates a directory and its missing parents with mode 0700.
///
/// # Errors
///
/// I/O errors.
pub fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Flushes a file's content, or a directory's entries, to disk (`fsync`).
///
/// # Errors
///
/// I/O errors.
#[cfg(unix)]
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Flushes a file's content to disk. Windows needs the file open for writing
/// and cannot flush directories.
#[cfg(not(unix))]
pub fn sync(path: &Path) -> io::Result<()> {
    match path.is_dir() {
        true => Ok(()),
        false => File::options().write(true).open(path)?.sync_all(),
    }
}

/// Whether the open file is the one at `path`. Symbolic links at `path` are not
/// followed.
///
/// The crate `same-file` opens the path for this, which blocks on a pipe and
/// fails if the file is not readable.
#[cfg(unix)]
pub fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => identity(open) == identity(named),
        _ => false,
    }
}

/// Always `false`: there is no portable way to compare files.
#[cfg(not(unix))]
pub fn is_at(_: &File, _: &Path) -> bool {
    false
}
