//! One process at a time changes a component: who holds its lock.

use super::Store;
use super::error::StoreError;
use crate::file::{FileLock, create_private};
use crate::reference::ComponentId;

/// No other process loads, replaces or unloads the component until this is
/// dropped. Reading and calling it goes on: what is in place stays whole.
#[derive(Debug)]
pub struct Hold {
    _lock: FileLock,
}

impl Store {
    /// Takes hold of a component, which need not be installed; `None` while
    /// another process has it.
    ///
    /// # Errors
    ///
    /// What the disk refuses.
    pub fn try_hold(&self, id: &ComponentId) -> Result<Option<Hold>, StoreError> {
        let path = self.layout.component_lock(id);
        // There is always one: the path was made from the root.
        if let Some(directory) = path.parent() {
            create_private(directory).map_err(StoreError::io("create", directory))?;
        }
        let lock = FileLock::try_take(&path).map_err(StoreError::io("lock", path))?;
        Ok(lock.map(|lock| Hold { _lock: lock }))
    }
}
