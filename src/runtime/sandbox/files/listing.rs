//! Lists directories, showing only entries that are granted or lead to a grant.

use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, statat};
use wasmtime_wasi::p2::bindings::filesystem::types::DirectoryEntry;

use super::errors::{Result, code};
use super::guard::Guard;
use super::kernel;
use super::metadata::type_of;
use super::walk::Directory;
use crate::policy::Access;

/// Names that one step reads before it yields; all of them may be hidden.
const AT_ONCE: usize = 1000;

/// Reads entries on demand, so that a huge directory takes no memory.
pub(super) struct Listing {
    entries: Dir,
    /// The real path of the directory.
    path: PathBuf,
    /// Counts the open directory as one of the guest's open files.
    pub counted: Arc<()>,
}

/// The outcome of one step.
pub(super) enum Next {
    Entry(DirectoryEntry),
    End,
    /// All names of this step were hidden.
    Hidden,
}

impl Listing {
    pub fn new(guard: &Guard<'_>, directory: Directory) -> Result<Self> {
        let Directory { handle, path } = directory;
        // A directory on the way to a grant needs no grant to show the names that
        // lead on.
        if !guard.access(&path).is_none() || !guard.leads_to_grant(&path) {
            guard.require(&path, Access::READ)?;
        }
        kernel::refuse(guard, &handle, &path, Access::READ)?;
        Ok(Listing {
            entries: Dir::read_from(&handle).map_err(code)?,
            path,
            counted: Arc::default(),
        })
    }

    pub fn next(&mut self, guard: &Guard<'_>) -> Result<Next> {
        for _ in 0..AT_ONCE {
            let Some(entry) = self.entries.read() else {
                return Ok(Next::End);
            };
            if let Some(entry) = self.shown(guard, &entry.map_err(code)?) {
                return Ok(Next::Entry(entry));
            }
        }
        Ok(Next::Hidden)
    }

    /// Names that are not UTF-8 cannot be granted or returned.
    fn shown(&self, guard: &Guard<'_>, entry: &DirEntry) -> Option<DirectoryEntry> {
        let name = entry.file_name().to_str().ok()?;
        if name == "." || name == ".." {
            return None;
        }
        let path = self.path.join(name);
        let is_granted = !guard.access(&path).is_none();
        if !is_granted && !guard.leads_to_grant(&path) {
            return None;
        }
        let kind = self.kind(entry);
        let is_shown = is_granted || kind == FileType::Directory;
        is_shown.then(|| DirectoryEntry {
            type_: type_of(kind),
            name: name.to_owned(),
        })
    }

    /// Some filesystems do not report the type with the name.
    fn kind(&self, entry: &DirEntry) -> FileType {
        let said = entry.file_type();
        if said != FileType::Unknown {
            return said;
        }
        let Ok(directory) = self.entries.fd() else {
            return said;
        };
        statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
            .map_or(said, |stat| FileType::from_raw_mode(stat.st_mode))
    }
}
