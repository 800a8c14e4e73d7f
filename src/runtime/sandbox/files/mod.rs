//! `wasi:filesystem`, restricted to the storage grants.
//!
//! Operations that take a path are implemented here; wasmtime-wasi does the rest once
//! a file is open.
//!
//! ```text
//! descriptor ── walk ── guard ── open, change, listing, metadata
//!      └─ preopens (roots)       ├─ links: allowed targets of guests' links
//!                                ├─ quota: limits of added bytes and names
//!                                └─ kernel, withheld: files that no grant includes
//! ```
//!
//! Rules are checked against *real* paths. [`walk`] opens one directory after the
//! other without ever following a symbolic link in the kernel; it reads a link's text
//! and resolves that itself. So the real path of what it reaches is known, even if
//! names are swapped meanwhile.

mod change;
mod descriptor;
mod errors;
mod guard;
mod kernel;
mod links;
mod listing;
mod metadata;
mod open;
mod preopens;
mod quota;
mod roots;
mod table;
#[cfg(test)]
mod tests;
mod walk;
mod withheld;

use std::path::Path;
use std::sync::Arc;

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::p2::bindings::filesystem::{preopens as preopens_interface, types};

use crate::policy::{StoragePermissions, StorageRules};

use super::{Denials, Guest};
use guard::Guard;
use quota::Usage;
use roots::Roots;

pub(super) use table::OpenFiles;
pub(super) use withheld::Withheld;

/// The storage grants of one component.
#[derive(Debug, Default)]
pub(super) struct Files {
    rules: StorageRules,
    roots: Roots,
    usage: Arc<Usage>,
}

impl Files {
    /// `working_directory` is the server's; it must be absolute and canonical.
    pub fn new(permissions: &StoragePermissions, working_directory: &Path) -> Self {
        let rules = permissions.resolve(working_directory);
        let roots = Roots::new(rules.roots());
        Files {
            rules,
            roots,
            usage: Arc::default(),
        }
    }
}

/// One guest's view of the files, made for one host call.
pub(in crate::runtime) struct FilesView<'a> {
    pub(super) files: &'a Files,
    pub(super) open: &'a mut OpenFiles,
    pub(super) table: &'a mut ResourceTable,
    pub(super) withheld: &'a Withheld,
    pub(super) denials: &'a Denials,
}

impl<'a> FilesView<'a> {
    fn guard(&self) -> Guard<'a> {
        Guard {
            rules: &self.files.rules,
            roots: &self.files.roots,
            withheld: self.withheld,
            denials: self.denials,
            usage: &self.files.usage,
        }
    }

    /// wasmtime-wasi's implementation, for files that are open.
    fn wasi(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView {
            ctx: &mut self.open.wasi,
            table: self.table,
        }
    }
}

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = FilesView<'a>;
}

/// Replaces the interfaces that are already in the linker.
pub(in crate::runtime) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    types::add_to_linker::<Guest, HasFiles>(linker, Guest::files)?;
    preopens_interface::add_to_linker::<Guest, HasFiles>(linker, Guest::files)?;
    linker.allow_shadowing(false);
    Ok(())
}
