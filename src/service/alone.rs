//! One change of a component at a time, among all that share the root.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use crate::reference::ComponentId;
use crate::store::Hold;

use super::{Error, Service};

/// How often another process's lock is tried.
const RETRY: Duration = Duration::from_millis(20);

/// Who in this process changes which component.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ComponentId, Arc<tokio::sync::Mutex<()>>>>);

/// Nobody else changes the component while this is kept.
pub(super) struct Alone {
    _hold: Hold,
    _turn: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the changes of this process.
    pub async fn take(&self, id: &ComponentId) -> OwnedMutexGuard<()> {
        self.of(id).lock_owned().await
    }

    fn of(&self, id: &ComponentId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(id.clone()).or_default().clone()
    }
}

impl Service {
    /// Waits for all changes of the component under way, in any process.
    pub(super) async fn alone(&self, id: &ComponentId) -> Result<Alone, Error> {
        let turn = self.turns.take(id).await;
        loop {
            if let Some(hold) = self.store.try_hold(id)? {
                return Ok(Alone {
                    _hold: hold,
                    _turn: turn,
                });
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
