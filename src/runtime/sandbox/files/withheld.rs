//! Files that are the server's own: its root, with secrets, policies and code,
//! and what its options name.
//!
//! Who reads them has every component's secrets; who writes them grants
//! himself the rest, or plants code. No grant means them. They are known by
//! their paths and, since one file may be reached by more than one (mounts,
//! names that differ in case), by their identities.

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

/// What is withheld from all guests of a runtime.
#[derive(Debug)]
pub(in crate::runtime::sandbox) struct Withheld {
    given: Vec<PathBuf>,
    found: OnceLock<Found>,
}

#[derive(Debug, Default)]
struct Found {
    /// As they were given, and without links on the way.
    paths: Vec<PathBuf>,
    own: HashSet<Identity>,
    /// Of the directories and links on the way to them: where one of those is
    /// moved, the path leads elsewhere.
    above: HashSet<Identity>,
}

/// Device and inode.
type Identity = (u64, u64);

impl Withheld {
    /// Directories with all that is in them, and files. Looks at none of them
    /// before a guest asks for a file.
    pub fn new(given: Vec<PathBuf>) -> Self {
        Withheld {
            given,
            found: OnceLock::new(),
        }
    }

    fn found(&self) -> &Found {
        self.found.get_or_init(|| Found::of(&self.given))
    }

    /// Whether a path is one of those, or below one.
    pub fn holds(&self, path: &Path) -> bool {
        let paths = &self.found().paths;
        paths.iter().any(|own| path.starts_with(own))
    }

    /// Whether one of those is at or below a path.
    pub fn is_below(&self, path: &Path) -> bool {
        let paths = &self.found().paths;
        paths.iter().any(|own| own.starts_with(path))
    }

    fn is_own(&self, stat: &Stat) -> bool {
        self.found().own.contains(&identity(stat))
    }

    /// Whether it is one of those, or stands in the way to one.
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
    /// `not-permitted`, noted, for what is the server's own, by whatever path
    /// it was reached.
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
    /// `not-permitted`, noted, for a name that cannot be moved or removed
    /// without the server losing its own files.
    pub fn refuse_above_own(&self, stat: Option<&Stat>, path: &Path) -> Result<()> {
        let bears = stat.is_some_and(|stat| self.withheld.bears(stat));
        match bears || self.withheld.is_below(path) {
            true => Err(self.never(path, Access::WRITE)),
            false => Ok(()),
        }
    }

    /// Notes what no grant can allow.
    pub fn never(&self, path: &Path, missing: Access) -> ErrorCode {
        self.note(path, missing, Reason::Never)
    }
}
