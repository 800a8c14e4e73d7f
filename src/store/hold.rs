//! One process at a time changes a component: who holds its lock.

use std::fs::{File, TryLockError};

use super::error::StoreError;
use super::{Store, create_private, staging};
use crate::reference::ComponentId;

/// No other process loads, replaces or unloads the component until this is
/// dropped. Reading and calling it goes on: what is in place stays whole.
#[derive(Debug)]
pub struct Hold {
    _lock: File,
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
            create_private(directory)?;
        }
        let lock = staging::lock_file(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Hold { _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", path)(error)),
        }
    }
}
