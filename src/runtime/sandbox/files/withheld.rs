//! The server's own files: its root, with secrets, policies and code, and the paths
//! that its options name.
//!
//! Reading them would reveal every component's secrets; writing them would allow
//! granting anything or planting code. So no grant includes them. They are recognised
//! by path and, since one file may have several paths (mounts, names that differ in
//! case), by device and inode.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Stat, fstat};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::errors::{Result, code};
use super::guard::Guard;
use crate::policy::{Access, Reason};

/// The files that are withheld from all guests of a runtime.
#[derive(Debug)]
pub(in crate::runtime::sandbox) struct Withheld {
    given: Vec<PathBuf>,
    found: OnceLock<Found>,
}

#[derive(Debug, Default)]
struct Found {
    /// Both the given paths and their canonical forms.
    paths: Vec<PathBuf>,
    own: HashSet<Identity>,
    /// The identities of the directories and links on the way to them: moving one of those would
    /// make the path lead elsewhere.
    above: HashSet<Identity>,
}

/// Device and inode.
type Identity = (u64, u64);

impl Withheld {
    /// `given` are files, and directories with everything in them. They are first
    /// looked at when a guest requests a file.
    pub fn new(given: Vec<PathBuf>) -> Self {
        Withheld {
            given,
            found: OnceLock::new(),
        }
    }

    fn found(&self) -> &Found {
        self.found.get_or_init(|| Found::of(&self.given))
    }

    /// Whether a path is a withheld one or below it.
    pub fn holds(&self, path: &Path) -> bool {
        let paths = &self.found().paths;
        paths.iter().any(|own| path.starts_with(own))
    }

    /// Whether a withheld path is at or below this one.
    pub fn is_below(&self, path: &Path) -> bool {
        let paths = &self.found().paths;
        paths.iter().any(|own| own.starts_with(path))
    }

    fn is_own(&self, stat: &Stat) -> bool {
        self.found().own.contains(&identity(stat))
    }

    /// Whether it is a withheld file, or a directory or link on the way to one.
    fn bears(&self, stat: &Stat) -> bool {
        self.is_own(stat) || self.found().above.contains(&identity(stat))
    }
}

impl Found {
    fn of(given: &[PathBuf]) -> Self {
        let mut found = Found::default();
        for path in given {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            for path in [absolute.canonicalize().ok(), Some(absolute)] {
                found.paths.extend(path);
            }
        }
        for path in &found.paths {
            let identity = |path: &Path| {
                let metadata = path.symlink_metadata().ok()?;
                Some((metadata.dev(), metadata.ino()))
            };
            found
                .own
                .extend(path.metadata().ok().map(|of| (of.dev(), of.ino())));
            found.above.extend(path.ancestors().filter_map(identity));
        }
        found
    }
}

/// The fields' types differ between systems.
#[allow(clippy::unnecessary_cast, reason = "not everywhere")]
fn identity(stat: &Stat) -> Identity {
    (stat.st_dev as u64, stat.st_ino as u64)
}

impl Guard<'_> {
    /// # Errors
    ///
    /// `not-permitted`, recorded as a denial, for a file of the server, by whatever
    /// path it was reached.
    pub fn refuse_own(&self, open: impl AsFd, path: &Path, needed: Access) -> Result<()> {
        let stat = fstat(open).map_err(code)?;
        self.refuse_own_stat(&stat, path, needed)
    }

    pub fn refuse_own_stat(&self, stat: &Stat, path: &Path, needed: Access) -> Result<()> {
        match self.withheld.is_own(stat) {
            true => Err(self.never(path, needed)),
            false => Ok(()),
        }
    }

    /// # Errors
    ///
    /// `not-permitted`, recorded as a denial, if moving or removing the name would
    /// break the server's own paths.
    pub fn refuse_above_own(&self, stat: Option<&Stat>, path: &Path) -> Result<()> {
        let bears = stat.is_some_and(|stat| self.withheld.bears(stat));
        match bears || self.withheld.is_below(path) {
            true => Err(self.never(path, Access::WRITE)),
            false => Ok(()),
        }
    }

    /// Records a denial that no grant can lift.
    pub fn never(&self, path: &Path, missing: Access) -> ErrorCode {
        self.note(path, missing, Reason::Never)
    }
}
