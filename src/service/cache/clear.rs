//! `cache clear`: removes files that can be made or downloaded again, used or not.

use std::fs;

use serde::Serialize;

use crate::fetch;
use crate::reference::ComponentId;
use crate::service::{Error, Service};
use crate::store::{StoreError, UnusedCode};

use super::{size, tree_size};

/// What `cache clear` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    Everything,
    /// Compiled code; the next call compiles again.
    Compiled,
    /// Files left by killed and interrupted downloads.
    Downloads,
    /// Fetched catalogs, which `registry update` fetches again. `All` does not include them,
    /// because names are looked up in them.
    Catalogs,
}

/// What was removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cleared {
    /// Components whose compiled code was removed.
    pub compiled: Vec<ComponentId>,
    /// Components whose previous version was removed.
    pub previous: Vec<ComponentId>,
    /// How many files of compiled code that no component uses were removed.
    pub unused: usize,
    /// How many unfinished downloads were removed.
    pub downloads: usize,
    /// How many copies of catalogs were removed, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogs: Option<usize>,
    /// Bytes that this freed.
    pub freed_bytes: u64,
}

impl Service {
    /// Removes files that can be made again, of one component or of all.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotInstalled`], or an error of the disk.
    pub fn cache_clear(&self, id: Option<&ComponentId>, what: Clear) -> Result<Cleared, Error> {
        let mut cleared = Cleared::default();
        if matches!(what, Clear::Everything | Clear::Compiled) {
            match id {
                Some(id) => self.forget_code(self.known(id)?, &mut cleared)?,
                None => self.forget_all_code(&mut cleared)?,
            }
        }
        if matches!(what, Clear::Everything | Clear::Downloads) && id.is_none() {
            self.clear_downloads(&mut cleared)?;
        }
        if what == Clear::Catalogs {
            let (catalogs, bytes) = self.disk.blocking().clear_catalogs()?;
            cleared.catalogs = Some(catalogs);
            cleared.freed_bytes += bytes;
        }
        Ok(cleared)
    }

    fn forget_all_code(&self, cleared: &mut Cleared) -> Result<(), Error> {
        for id in self.disk.blocking().ids()? {
            self.forget_code(id, cleared)?;
        }
        for code in self.disk.blocking().unused_compiled() {
            cleared.remove(&code);
        }
        Ok(())
    }

    /// Removes a component's code. Running calls keep it mapped; the next start
    /// compiles again.
    pub(super) fn forget_code(&self, id: ComponentId, cleared: &mut Cleared) -> Result<(), Error> {
        let files = self.disk.layout().component(&id);
        let Some(bytes) = size(&files.cwasm) else {
            return Ok(());
        };
        if let Ok(Some(installed)) = self.disk.blocking().get(&id) {
            let component = installed.metadata.digests.component;
            self.disk.blocking().forget_compiled(&component);
        }
        fs::remove_file(&files.cwasm).map_err(StoreError::io("remove", &files.cwasm))?;
        cleared.freed_bytes += bytes;
        cleared.compiled.push(id);
        Ok(())
    }

    fn clear_downloads(&self, cleared: &mut Cleared) -> Result<(), Error> {
        let layout = self.disk.layout();
        let downloads = layout.downloads();
        let before = tree_size(&downloads);
        let swept = self.disk.blocking().sweep()?.into_iter();
        cleared.downloads += swept.filter(|path| path.starts_with(&downloads)).count();
        cleared.downloads += fetch::clear_parts(&layout.parts());
        cleared.freed_bytes += before.saturating_sub(tree_size(&downloads));
        Ok(())
    }
}

impl Cleared {
    pub(super) fn remove(&mut self, code: &UnusedCode) {
        let freed = code.remove();
        self.unused += usize::from(freed > 0);
        self.freed_bytes += freed;
    }
}
