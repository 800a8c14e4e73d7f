//! `cache prune`: removes what exceeds the given bounds, least recently used first.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use crate::reference::ComponentId;
use crate::service::{Error, Service};
use crate::store::{UnusedCode, usage};

use super::{Cleared, size};

/// What `cache prune` keeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// Bytes of compiled code and previous versions that may stay; the most recently
    /// used are kept.
    pub max_size: Option<u64>,
    /// Anything unused for longer is removed.
    pub unused_for: Option<Duration>,
}

/// One thing that can be removed.
struct Item {
    what: Prunable,
    bytes: u64,
    /// When it was last used; at most now, even if the clock was set back.
    used: SystemTime,
}

enum Prunable {
    Code(ComponentId),
    Previous(ComponentId),
    /// Code that no installed component uses.
    Unused(UnusedCode),
}

impl Service {
    /// Removes compiled code and previous versions that exceed the given bounds.
    ///
    /// # Errors
    ///
    /// When the disk refuses; what was not removed yet then stays.
    pub fn cache_prune(&self, keep: Keep) -> Result<Cleared, Error> {
        let mut cleared = Cleared::default();
        let now = SystemTime::now();
        let mut kept = 0;
        for item in self.prunable(now)? {
            let idle = now.duration_since(item.used).unwrap_or_default();
            let large = keep.max_size.is_some_and(|most| kept + item.bytes > most);
            let old = keep.unused_for.is_some_and(|most| idle > most);
            if large || old {
                self.prune(item, &mut cleared)?;
            } else {
                kept += item.bytes;
            }
        }
        Ok(cleared)
    }

    /// Everything that can be pruned, most recently used first.
    fn prunable(&self, now: SystemTime) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        let mut add = |what, bytes, used: SystemTime| {
            let used = used.min(now);
            items.push(Item { what, bytes, used });
        };
        for id in self.disk.blocking().ids()? {
            let files = self.disk.layout().component(&id);
            if let Some((bytes, replaced)) = self.disk.blocking().previous_size(&id) {
                add(Prunable::Previous(id.clone()), bytes, replaced);
            }
            if let Some(bytes) = size(&files.cwasm) {
                let used = usage::last_wanted(&files).unwrap_or(now);
                add(Prunable::Code(id), bytes, used);
            }
        }
        for code in self.disk.blocking().unused_compiled() {
            let (bytes, since) = (code.bytes, code.since);
            add(Prunable::Unused(code), bytes, since);
        }
        items.sort_by_key(|item| Reverse(item.used));
        Ok(items)
    }

    fn prune(&self, item: Item, cleared: &mut Cleared) -> Result<(), Error> {
        match item.what {
            Prunable::Code(id) => self.forget_code(id, cleared)?,
            Prunable::Previous(id) => {
                self.disk.blocking().forget_previous(&id)?;
                cleared.freed_bytes += item.bytes;
                cleared.previous.push(id);
            }
            Prunable::Unused(code) => cleared.remove(&code),
        }
        Ok(())
    }
}
