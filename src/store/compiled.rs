//! Compiled code by the digest of its component; see [`crate::runtime`], which
//! puts it there.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Layout, Store};
use crate::digest::Digest;

/// How long code stays that no installed component has, and for how many: one
/// that is loaded again soon, or rolled back, is not compiled again.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const KEPT_AT_MOST: usize = 8;
/// Ends the names of code that is used until there is better.
const BASELINE: &str = "baseline.cwasm";

impl Layout {
    /// Where the code of a component for an engine is, for all that have it.
    pub fn compiled_code(&self, component: &Digest, engine: &Digest) -> PathBuf {
        // 64 bits of the engine's hash only keep two files apart; the seal
        // has all of it.
        let name = format!("{}{}.cwasm", beginning(component), &engine.hex()[..16]);
        self.compiled().join(name)
    }

    /// Where the code of a component stands that is used until there is better.
    pub fn baseline_code(&self, component: &Digest) -> PathBuf {
        let name = format!("{}{BASELINE}", beginning(component));
        self.compiled().join(name)
    }
}

fn beginning(component: &Digest) -> String {
    format!("{}-", component.hex())
}

/// Code in `compiled/` that no installed component has.
#[derive(Debug, Clone)]
pub struct UnusedCode {
    path: PathBuf,
    pub bytes: u64,
    pub since: SystemTime,
}

impl UnusedCode {
    /// Removes it and returns how many bytes are free again.
    pub fn remove(&self) -> u64 {
        remove(&self.path)
    }
}

impl Store {
    /// Code for this component must be made anew, for whatever engine.
    pub fn forget_compiled(&self, component: &Digest) {
        let made_from = beginning(component);
        for path in self.compiled() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&made_from) {
                remove(&path);
            }
        }
    }

    /// The code that no installed component has.
    pub fn unused_compiled(&self) -> Vec<UnusedCode> {
        let unused = self.compiled().into_iter().filter_map(|path| {
            let file = fs::symlink_metadata(&path).ok()?;
            Some(UnusedCode {
                since: unused_since(&file)?,
                bytes: file.len(),
                path,
            })
        });
        unused.collect()
    }

    /// Removes what was unused for long, or is more than is worth keeping, and
    /// returns the paths.
    pub fn sweep_compiled(&self) -> Vec<PathBuf> {
        let age = |code: &UnusedCode| code.since.elapsed().unwrap_or_default();
        // Installed components may wait for better code than the baseline's.
        let is_baseline = |code: &UnusedCode| code.path.to_string_lossy().ends_with(BASELINE);
        let unused = self.unused_compiled().into_iter();
        let (baseline, mut others): (Vec<_>, Vec<_>) = unused.partition(is_baseline);
        others.sort_by_key(|code| Reverse(code.since));
        let more = others.split_off(others.len().min(KEPT_AT_MOST));
        let old = baseline
            .into_iter()
            .chain(others)
            .filter(|code| age(code) > KEPT);
        old.chain(more)
            .filter(|code| code.remove() > 0)
            .map(|code| code.path)
            .collect()
    }

    fn compiled(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.layout.compiled());
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// Since when nothing else links to the file; none while something does.
#[cfg(unix)]
fn unused_since(file: &fs::Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    // The inode last changed when the last other link went.
    let seconds = u64::try_from(file.ctime()).ok()?;
    let changed = UNIX_EPOCH + Duration::from_secs(seconds);
    (file.nlink() == 1).then_some(changed)
}

#[cfg(not(unix))]
fn unused_since(_: &fs::Metadata) -> Option<SystemTime> {
    None
}

/// Removes a file and returns its size; what is gone already is no error.
fn remove(path: &Path) -> u64 {
    let bytes = fs::symlink_metadata(path).map_or(0, |file| file.len());
    fs::remove_file(path).map_or(0, |()| bytes)
}
