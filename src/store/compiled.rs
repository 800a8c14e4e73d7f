//! Compiled code by the digest of its component; see [`crate::runtime`], which
//! puts it there.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Store;
use crate::digest::Digest;

/// How long code stays that no installed component has, and for how many: one
/// that is loaded again soon, or rolled back, is not compiled again.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const KEPT_AT_MOST: usize = 8;

impl Store {
    /// Code for this component must be made anew, for whatever engine.
    pub fn forget_compiled(&self, component: &Digest) {
        let made_from = format!("{}-", component.hex());
        for path in self.compiled() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&made_from) {
                remove(&path);
            }
        }
    }

    /// Bytes of code that no installed component has.
    pub fn unused_compiled_bytes(&self) -> u64 {
        let unused = self.compiled().into_iter().filter(|path| is_unused(path));
        unused.map(|path| size(&path)).sum()
    }

    /// Removes that code and returns how many bytes are free again.
    pub fn remove_unused_compiled(&self) -> u64 {
        let unused = self.compiled().into_iter().filter(|path| is_unused(path));
        unused.map(|path| remove(&path)).sum()
    }

    /// Removes what was unused for long, or is more than is worth keeping, and
    /// returns the paths.
    pub fn sweep_compiled(&self) -> Vec<PathBuf> {
        let made = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
        let mut unused = self.compiled();
        unused.retain(|path| is_unused(path));
        unused.sort_by_key(|path| Reverse(made(path)));
        let age = |path: &PathBuf| made(path)?.elapsed().ok();
        let unused = unused.into_iter().enumerate();
        unused
            .filter(|(nth, path)| *nth >= KEPT_AT_MOST || age(path).is_some_and(|age| age > KEPT))
            .map(|(_, path)| path)
            .filter(|path| remove(path) > 0)
            .collect()
    }

    fn compiled(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.layout.compiled());
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// Whether nothing else links to the file.
fn is_unused(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::symlink_metadata(path).is_ok_and(|file| file.nlink() == 1)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn size(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |file| file.len())
}

/// Removes a file and returns its size; what is gone already is no error.
fn remove(path: &Path) -> u64 {
    let bytes = size(path);
    fs::remove_file(path).map_or(0, |()| bytes)
}
