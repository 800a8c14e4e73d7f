//! Directories for what is no one else's business.

use std::fs;
use std::io;
use std::path::Path;

/// Makes a directory, and those above it, that only its owner can enter.
pub(crate) fn private_dir(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
