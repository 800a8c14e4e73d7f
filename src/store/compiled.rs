//! Stored native code, named by the digest of its component; [`crate::runtime`]
//! writes it.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Layout, Store};
use crate::digest::Digest;

/// Code that no installed component uses is kept for a week, and at most eight files
/// of it, so that reloading or rolling back a component does not recompile it.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const KEPT_AT_MOST: usize = 8;
/// Suffix of baseline code, which is used until the optimised code is there.
const BASELINE: &str = "baseline.cwasm";

impl Layout {
    /// Returns the path of the code of a component for one engine. All components with these bytes
    /// share it.
    pub fn compiled_code(&self, component: &Digest, engine: &Digest) -> PathBuf {
        // 16 hex digits of the engine's hash only keep the file names apart; the seal
        // holds the whole hash.
        let name = format!("{}{}.cwasm", beginning(component), &engine.hex()[..16]);
        self.compiled().join(name)
    }

    /// Returns the path of the baseline code of a component.
    pub fn baseline_code(&self, component: &Digest) -> PathBuf {
        let name = format!("{}{BASELINE}", beginning(component));
        self.compiled().join(name)
    }
}

fn beginning(component: &Digest) -> String {
    format!("{}-", component.hex())
}

/// Code in `compiled/` to which no installed component links.
#[derive(Debug, Clone)]
pub struct UnusedCode {
    path: PathBuf,
    pub bytes: u64,
    pub since: SystemTime,
}

impl UnusedCode {
    /// Removes the file and returns how many bytes that freed.
    pub fn remove(&self) -> u64 {
        remove(&self.path)
    }
}

impl Store {
    /// Removes all code of this component, for every engine, so that it is
    /// recompiled.
    pub fn forget_compiled(&self, component: &Digest) {
        let made_from = beginning(component);
        for path in self.compiled() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&made_from) {
                remove(&path);
            }
        }
    }

    /// Returns the code to which no installed component links.
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

    /// Removes code that has been unused for a week, keeps at most the eight most recently used
    /// files of the rest, and returns the removed paths.
    pub fn sweep_compiled(&self) -> Vec<PathBuf> {
        let age = |code: &UnusedCode| code.since.elapsed().unwrap_or_default();
        // An installed component may still be using its baseline code, which is never
        // linked to: it goes by age alone.
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

/// When the last other link to the file was removed; `None` while there is another.
#[cfg(unix)]
fn unused_since(file: &fs::Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    // Removing a link changes the inode's ctime.
    let seconds = u64::try_from(file.ctime()).ok()?;
    let changed = UNIX_EPOCH + Duration::from_secs(seconds);
    (file.nlink() == 1).then_some(changed)
}

#[cfg(not(unix))]
fn unused_since(_: &fs::Metadata) -> Option<SystemTime> {
    None
}

/// Removes a file and returns its size, or 0 if it is already gone.
fn remove(path: &Path) -> u64 {
    let bytes = fs::symlink_metadata(path).map_or(0, |file| file.len());
    fs::remove_file(path).map_or(0, |()| bytes)
}
