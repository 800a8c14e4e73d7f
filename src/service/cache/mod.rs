//! What can be made again: compiled code and unfinished downloads.
//!
//! Components, policies and secrets are never part of it.

mod artifact;
mod verify;

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::reference::ComponentId;
use crate::store::{StoreError, usage};

use super::{Error, Service};

pub use verify::{Fault, Repair, Verdict, VerifyReport};

/// What is on disk under one root.
#[derive(Debug, Clone, Serialize)]
pub struct CacheListing {
    pub components: Vec<CachedComponent>,
    /// Bytes of downloads and compiles under way, and of those cut off.
    pub downloads_bytes: u64,
    /// Bytes of compiled code that no installed component has.
    pub unused_bytes: u64,
    /// Bytes of all this together.
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
    /// Bytes of the version that this one replaced; absent when none is kept.
    pub previous_bytes: Option<u64>,
    /// The last call, to within ten minutes; absent when it was never called.
    pub last_used: Option<Timestamp>,
}

/// What `cache clear` takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    Everything,
    /// Compiled code, which the next call makes again.
    Compiled,
    /// What killed processes left of downloads.
    Downloads,
}

/// What `cache prune` keeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// Bytes of compiled code and previous versions that may stay, the last
    /// used first.
    pub max_size: Option<u64>,
    /// What was not used for longer goes.
    pub unused_for: Option<Duration>,
}

/// What was taken away.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cleared {
    /// Components whose compiled code is gone.
    pub compiled: Vec<ComponentId>,
    /// Components whose previous version is gone.
    pub previous: Vec<ComponentId>,
    /// Unfinished downloads that are gone.
    pub downloads: usize,
    /// Bytes that are free again.
    pub freed_bytes: u64,
}

/// One thing that `cache prune` may take away.
struct Item {
    id: ComponentId,
    what: Prunable,
    bytes: u64,
    last_used: Timestamp,
}

enum Prunable {
    Code,
    Previous,
}

impl CachedComponent {
    fn bytes(&self) -> u64 {
        self.component_bytes + self.compiled_bytes.unwrap_or(0) + self.previous_bytes.unwrap_or(0)
    }
}

impl Service {
    /// What is cached, the last used first.
    pub fn cache_list(&self) -> Result<CacheListing, Error> {
        let mut components = Vec::new();
        for id in self.store.ids()? {
            let files = self.store.layout().component(&id);
            components.push(CachedComponent {
                component_bytes: size(&files.wasm).unwrap_or(0),
                compiled_bytes: size(&files.cwasm),
                previous_bytes: self.store.previous_size(&id).map(|(bytes, _)| bytes),
                last_used: usage::last_used(&files),
                id,
            });
        }
        components.sort_by(|a, b| b.last_used.cmp(&a.last_used).then(a.id.cmp(&b.id)));
        let downloads_bytes = tree_size(&self.store.layout().downloads());
        let unused_bytes = self.store.unused_compiled_bytes();
        let cached = components.iter();
        let held = cached.map(CachedComponent::bytes);
        Ok(CacheListing {
            downloads_bytes,
            unused_bytes,
            total_bytes: held.sum::<u64>() + downloads_bytes + unused_bytes,
            components,
        })
    }

    /// Takes away what can be made again, of one component or of all.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotInstalled`], or what the disk refuses.
    pub fn cache_clear(&self, id: Option<&ComponentId>, what: Clear) -> Result<Cleared, Error> {
        let mut cleared = Cleared::default();
        if what != Clear::Downloads {
            let ids = match id {
                Some(id) => vec![self.known(id)?],
                None => self.store.ids()?,
            };
            for id in ids {
                self.forget_code(id, &mut cleared)?;
            }
            cleared.freed_bytes += self.store.remove_unused_compiled();
        }
        if what != Clear::Compiled && id.is_none() {
            let downloads = self.store.layout().downloads();
            let before = tree_size(&downloads);
            cleared.downloads = self.store.sweep()?.len();
            cleared.freed_bytes += before.saturating_sub(tree_size(&downloads));
        }
        Ok(cleared)
    }

    /// Takes away compiled code and previous versions that are over the given
    /// bounds.
    ///
    /// # Errors
    ///
    /// What the disk refuses; the rest is then still there.
    pub fn cache_prune(&self, keep: Keep) -> Result<Cleared, Error> {
        let mut cleared = Cleared::default();
        cleared.freed_bytes += self.store.remove_unused_compiled();
        let mut kept = 0;
        for item in self.prunable()? {
            kept += item.bytes;
            let large = keep.max_size.is_some_and(|most| kept > most);
            let idle = || Timestamp::now().duration_since(item.last_used);
            let old = keep
                .unused_for
                .is_some_and(|most| idle().unsigned_abs() > most);
            if !large && !old {
                continue;
            }
            kept -= item.bytes;
            match item.what {
                Prunable::Code => self.forget_code(item.id, &mut cleared)?,
                Prunable::Previous => {
                    self.store.forget_previous(&item.id)?;
                    cleared.freed_bytes += item.bytes;
                    cleared.previous.push(item.id);
                }
            }
        }
        Ok(cleared)
    }

    /// What can be pruned, the last used first.
    fn prunable(&self) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        for CachedComponent {
            id,
            compiled_bytes,
            last_used,
            ..
        } in self.cache_list()?.components
        {
            if let Some((bytes, replaced)) = self.store.previous_size(&id) {
                items.push(Item {
                    id: id.clone(),
                    what: Prunable::Previous,
                    bytes,
                    last_used: Timestamp::try_from(replaced).unwrap_or_default(),
                });
            }
            if let Some(bytes) = compiled_bytes {
                items.push(Item {
                    id,
                    what: Prunable::Code,
                    bytes,
                    last_used: last_used.unwrap_or_default(),
                });
            }
        }
        items.sort_by_key(|item| std::cmp::Reverse(item.last_used));
        Ok(items)
    }

    fn known(&self, id: &ComponentId) -> Result<ComponentId, Error> {
        if self.store.layout().component(id).dir.is_dir() {
            Ok(id.clone())
        } else {
            Err(StoreError::NotInstalled { id: id.clone() }.into())
        }
    }

    /// Code in use stays mapped; the next start compiles again.
    fn forget_code(&self, id: ComponentId, cleared: &mut Cleared) -> Result<(), Error> {
        let files = self.store.layout().component(&id);
        let Some(bytes) = size(&files.cwasm) else {
            return Ok(());
        };
        if let Ok(Some(installed)) = self.store.get(&id) {
            let component = installed.metadata.digests.component;
            self.store.forget_compiled(&component);
        }
        fs::remove_file(&files.cwasm).map_err(StoreError::io("remove", &files.cwasm))?;
        cleared.freed_bytes += bytes;
        cleared.compiled.push(id);
        Ok(())
    }
}

fn size(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|file| file.len())
}

/// Bytes of the files below a directory; what vanishes meanwhile is not counted.
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
