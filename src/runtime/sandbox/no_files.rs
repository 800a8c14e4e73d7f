//! For systems without `openat`: no file is ever opened, whatever was granted.

use std::path::{Path, PathBuf};

use wasmtime::component::Linker;

use super::Guest;
use crate::policy::StoragePermissions;

/// The storage grants of one component; none is in force.
#[derive(Debug, Default)]
pub(super) struct Files;

impl Files {
    pub fn new(permissions: &StoragePermissions, _working_directory: &Path) -> Self {
        if !permissions.allow.is_empty() {
            tracing::warn!("storage grants are not supported on this system, and refused");
        }
        Files
    }
}

/// Empty, since guests get no files.
#[derive(Debug)]
pub(super) struct Withheld;

impl Withheld {
    pub fn new(_given: Vec<PathBuf>) -> Self {
        Withheld
    }
}

#[derive(Default)]
pub(super) struct OpenFiles;

/// Keeps wasmtime-wasi's interfaces, with no preopened directory.
pub(in crate::runtime) fn add_to_linker(_linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    Ok(())
}
