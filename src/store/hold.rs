//! The lock on one component, which only one process holds at a time.

use super::Store;
use super::error::StoreError;
use crate::file::{FileLock, create_private};
use crate::reference::ComponentId;

/// Keeps other processes from loading, replacing or unloading the component until it
/// is dropped. They can still read and call it: the installed version stays whole.
#[derive(Debug)]
pub struct Hold {
    _lock: FileLock,
}

impl Store {
    /// Takes the lock of a component, which need not be installed; `None` while
    /// another process holds it.
    ///
    /// # Errors
    ///
    /// When the lock's file cannot be created or locked.
    pub fn try_hold(&self, id: &ComponentId) -> Result<Option<Hold>, StoreError> {
        let path = self.layout.component_lock(id);
        // The path always has a parent, since it was made from the root.
        if let Some(directory) = path.parent() {
            create_private(directory).map_err(StoreError::io("create", directory))?;
        }
        let lock = FileLock::try_take(&path).map_err(StoreError::io("lock", path))?;
        Ok(lock.map(|lock| Hold { _lock: lock }))
    }
}
