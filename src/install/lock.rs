//! Serializes the changes of each component among all tasks and processes that use the root.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::reference::ComponentId;
use crate::store::{Hold, Patience, SIGN_OF_LIFE, Wait, touch_lock};

use super::{Error, Installer};

/// The locks among the tasks of this process. A task takes one of them before the lock file, which
/// processes share.
#[derive(Default)]
pub struct ComponentLocks(Mutex<HashMap<ComponentId, Arc<tokio::sync::Mutex<()>>>>);

/// While this exists, no other task or process changes the component.
pub struct ComponentLock {
    id: ComponentId,
    _sign_of_life: SignOfLife,
    _shared: Hold,
    _local: OwnedMutexGuard<()>,
}

impl ComponentLocks {
    /// Waits until no other task of this process changes the component.
    pub async fn local(&self, id: &ComponentId) -> OwnedMutexGuard<()> {
        self.of(id).lock_owned().await
    }

    fn of(&self, id: &ComponentId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(id.clone()).or_default().clone()
    }
}

/// Touches the lock file every second until it is dropped.
struct SignOfLife(tokio::task::AbortHandle);

impl SignOfLife {
    fn begin(path: PathBuf) -> Self {
        let signs = tokio::spawn(async move {
            loop {
                let path = path.clone();
                // If the runtime is shutting down, the touch is not needed.
                let _ = tokio::task::spawn_blocking(move || touch_lock(&path)).await;
                tokio::time::sleep(SIGN_OF_LIFE).await;
            }
        });
        SignOfLife(signs.abort_handle())
    }
}

impl Drop for SignOfLife {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ComponentLock {
    /// The id of the locked component.
    pub fn id(&self) -> &ComponentId {
        &self.id
    }
}

impl Installer {
    /// Locks several components in the order of their ids, which prevents deadlocks.
    ///
    /// # Errors
    ///
    /// Those of [`Installer::lock`]; no component is then locked.
    pub async fn lock_all(
        &self,
        ids: impl IntoIterator<Item = ComponentId>,
    ) -> Result<BTreeMap<ComponentId, ComponentLock>, Error> {
        let mut locks = BTreeMap::new();
        for id in ids.into_iter().collect::<BTreeSet<_>>() {
            let lock = self.lock(&id).await?;
            locks.insert(id, lock);
        }
        Ok(locks)
    }

    /// Waits until no other task or process changes the component.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be opened or locked, or the process that holds it no longer
    /// touches it.
    pub async fn lock(&self, id: &ComponentId) -> Result<ComponentLock, Error> {
        let local = self.locks.local(id).await;
        let path = self.disk.layout().component_lock(id);
        let mut wait = None;
        loop {
            let wanted = id.clone();
            let hold = self.disk.run(move |store| store.try_hold(&wanted));
            if let Some(shared) = hold.await?? {
                return Ok(ComponentLock {
                    id: id.clone(),
                    _sign_of_life: SignOfLife::begin(path),
                    _shared: shared,
                    _local: local,
                });
            }
            // Each pause is short: it reads a file's time and `/proc`.
            let mut waiting = wait
                .take()
                .unwrap_or_else(|| Wait::new(&path, Patience::default()));
            let (pause, waiting) = self.disk.run(move |_| (waiting.pause(), waiting)).await?;
            wait = Some(waiting);
            tokio::time::sleep(pause?).await;
        }
    }
}
