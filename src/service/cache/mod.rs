//! The cache: everything that can be made or downloaded again, such as compiled code,
//! unfinished downloads and previous versions.
//!
//! It never includes installed components, policies or secrets.

mod artifact;
mod clear;
mod examine;
mod prune;
mod verify;

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::reference::ComponentId;
use crate::store::{StoreError, usage};

use super::{Error, Service};

pub use clear::{Clear, Cleared};
pub use prune::Keep;
pub use verify::{Fault, FaultKind, Repair, Verdict, VerifyReport};

/// What is on disk under one root.
#[derive(Debug, Clone, Serialize)]
pub struct CacheListing {
    pub components: Vec<CachedComponent>,
    /// Bytes of staging directories and partial downloads.
    pub downloads_bytes: u64,
    /// Bytes of compiled code that no installed component uses.
    pub unused_bytes: u64,
    /// Bytes of everything in the listing.
    pub total_bytes: u64,
}

/// One component's files.
#[derive(Debug, Clone, Serialize)]
pub struct CachedComponent {
    pub id: ComponentId,
    /// Bytes.
    pub component_bytes: u64,
    /// Bytes of compiled code; absent when there is none.
    pub compiled_bytes: Option<u64>,
    /// Bytes of the previous version; absent when none is kept.
    pub previous_bytes: Option<u64>,
    /// The last call, to within ten minutes; absent when it was never called.
    pub last_used: Option<Timestamp>,
}

impl CachedComponent {
    fn bytes(&self) -> u64 {
        self.component_bytes + self.compiled_bytes.unwrap_or(0) + self.previous_bytes.unwrap_or(0)
    }
}

impl Service {
    /// What is cached, most recently used first.
    pub fn cache_list(&self) -> Result<CacheListing, Error> {
        let mut components = Vec::new();
        for id in self.disk.blocking().ids()? {
            let files = self.disk.layout().component(&id);
            components.push(CachedComponent {
                component_bytes: size(&files.wasm).unwrap_or(0),
                compiled_bytes: size(&files.cwasm),
                previous_bytes: self
                    .disk
                    .blocking()
                    .previous_size(&id)
                    .map(|(bytes, _)| bytes),
                last_used: usage::last_used(&files),
                id,
            });
        }
        components.sort_by(|a, b| b.last_used.cmp(&a.last_used).then(a.id.cmp(&b.id)));
        let downloads_bytes = tree_size(&self.disk.layout().downloads());
        let unused = self.disk.blocking().unused_compiled();
        let unused_bytes = unused.iter().map(|code| code.bytes).sum();
        let cached = components.iter();
        let held = cached.map(CachedComponent::bytes);
        Ok(CacheListing {
            downloads_bytes,
            unused_bytes,
            total_bytes: held.sum::<u64>() + downloads_bytes + unused_bytes,
            components,
        })
    }

    fn known(&self, id: &ComponentId) -> Result<ComponentId, Error> {
        if self.disk.layout().component(id).dir.is_dir() {
            Ok(id.clone())
        } else {
            Err(StoreError::NotInstalled { id: id.clone() }.into())
        }
    }
}

fn size(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|file| file.len())
}

/// Bytes of the files below a directory; files that vanish meanwhile are not counted.
fn tree_size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => tree_size(&entry.path()),
            Ok(_) => size(&entry.path()).unwrap_or(0),
            Err(_) => 0,
        })
        .sum()
}
