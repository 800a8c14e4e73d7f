//! The directories that a guest starts with.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, fstat, statat};

use super::errors::{Result, code};
use super::guard::Guard;
use super::open::open_directory;
use super::walk::{Directory, LastLink, walk};
use crate::policy::{Access, StorageRoot};

/// Opened at first use, and shared by a component's calls.
#[derive(Debug, Default)]
pub(super) struct Roots(Vec<Root>);

#[derive(Debug)]
pub(super) struct Root {
    /// The guest's name for it.
    pub guest: String,
    /// Its path in the grant.
    pub host: PathBuf,
    open: Mutex<Option<Arc<File>>>,
}

impl Roots {
    /// Adds the root of the filesystem. A guest's library looks for a preopened
    /// directory that the path begins with, and without one fails by itself. `/`
    /// matches every path, so that the host is asked and can record the denial.
    ///
    /// It comes after the other absolute directories, because some libraries take the
    /// first one for the working directory, and before the relative ones, because
    /// others search from the end and take `.` for as good as `/`.
    pub fn new(mut roots: Vec<StorageRoot>) -> Self {
        if !roots.iter().any(|root| root.guest == "/") {
            let at = roots.partition_point(|root| root.guest.starts_with('/'));
            let system = StorageRoot {
                host: PathBuf::from("/"),
                guest: "/".to_owned(),
            };
            roots.insert(at, system);
        }
        let roots = roots.into_iter().map(|root| Root {
            guest: root.guest,
            host: root.host,
            open: Mutex::default(),
        });
        Roots(roots.collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, &Root)> {
        self.0.iter().enumerate()
    }

    /// Whether this is one of the directories that a guest starts with.
    pub fn holds(&self, path: &Path) -> bool {
        self.0.iter().any(|root| root.host == path)
    }

    pub fn get(&self, index: usize) -> Option<&Root> {
        self.0.get(index)
    }
}

impl Root {
    /// Opens the directory that is there now: it may have been created, replaced or
    /// moved since the last call.
    pub fn open(&self, guard: &Guard<'_>) -> Result<Directory> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*open
            && self.is_still(handle)
        {
            return Ok(Directory {
                handle: Arc::clone(handle),
                path: self.host.clone(),
            });
        }
        *open = None;
        let start = Directory::root()?;
        let directory = if self.host == start.path {
            // Nothing to resolve; the guard checks every use of it later.
            start
        } else {
            let host = self.host.to_string_lossy();
            let end = walk(guard, start, &host, LastLink::Follow, Access::READ)?;
            open_directory(guard, &end)?
        };
        // A directory behind a link is not kept open, since the link may change.
        if directory.path == self.host {
            *open = Some(Arc::clone(&directory.handle));
        }
        Ok(directory)
    }

    fn is_still(&self, handle: &File) -> bool {
        let there = statat(CWD, &self.host, AtFlags::SYMLINK_NOFOLLOW).map_err(code);
        let held = fstat(handle).map_err(code);
        matches!((there, held), (Ok(there), Ok(held))
            if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino))
    }
}
