//! Keeps a server's tools in step with changes that other processes make to the root.
//!
//! Every change is one rename in `components/`, so only that directory is watched. In
//! addition the directory's stamp is checked from time to time, since notifications
//! may be unsupported or get lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::reference::ComponentId;
use crate::store::{Entry, FileStamp, Installed, Layout, Offered, Store, StoreError};

use super::{Error, Service};

/// How often the stamp is checked when there are no notifications.
const POLL: Duration = Duration::from_secs(1);
/// The same with notifications, which may get lost.
const SECOND_LOOK: Duration = Duration::from_secs(10);
/// One command makes several changes; wait this long to handle them together.
const SETTLE: Duration = Duration::from_millis(20);

/// Follows one root. Changes between [`begin`](Self::begin) and [`run`](Self::run)
/// are handled by `run`.
pub struct Watch {
    service: Arc<Service>,
    told: Arc<Notify>,
    asked: Arc<Notify>,
    /// `None` if the system has no notifications, or the directory does not exist
    /// yet.
    watcher: Option<RecommendedWatcher>,
    directory: Option<FileStamp>,
    /// Whether a later change is sure to give the directory another stamp.
    settled: bool,
    components: HashMap<ComponentId, Stamps>,
}

/// The stamps of a component's metadata and of the rules for its tools.
type Stamps = (FileStamp, Option<FileStamp>);

impl Watch {
    /// Records the present state. Must be called before the tools are offered.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub fn begin(service: Arc<Service>) -> Result<Self, Error> {
        let told = Arc::new(Notify::new());
        let directory = FileStamp::of(&service.disk.layout().components());
        let watcher = watcher(service.disk.layout(), &told);
        let components = stamps(service.disk.blocking())?;
        Ok(Watch {
            service,
            told,
            asked: Arc::default(),
            watcher,
            directory,
            settled: is_settled(directory),
            components,
        })
    }

    /// Notifying it makes [`run`](Self::run) look at every component at once.
    pub fn asked(&self) -> Arc<Notify> {
        self.asked.clone()
    }

    /// Updates the tools at every change, until the future is dropped.
    pub async fn run(mut self) {
        loop {
            let pause = if self.watcher.is_some() {
                SECOND_LOOK
            } else {
                POLL
            };
            tokio::select! {
                () = self.asked.notified() => self.settled = false,
                () = self.told.notified() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(pause) => {}
            }
            if let Err(error) = self.look().await {
                tracing::warn!("cannot see what is installed: {error}");
            }
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let directory = FileStamp::of(&self.service.disk.layout().components());
        let settled = is_settled(directory);
        if directory == self.directory && self.settled {
            return Ok(());
        }
        let inode = |stamp: &FileStamp| stamp.inode();
        let replaced = directory.as_ref().map(inode) != self.directory.as_ref().map(inode);
        if replaced {
            self.watcher = watcher(self.service.disk.layout(), &self.told);
        }
        let now = self.service.disk.run(stamps).await??;
        for id in changed(&self.components, &now) {
            self.service.sync_from_disk(&id).await?;
        }
        self.components = now;
        self.directory = directory;
        self.settled = settled;
        Ok(())
    }
}

/// Whether the stamp is old enough: the second of two changes in quick succession may
/// leave the same stamp as the first.
fn is_settled(directory: Option<FileStamp>) -> bool {
    directory.is_none_or(|stamp| stamp.is_settled())
}

/// The stamps of all components.
fn stamps(store: &Store) -> Result<HashMap<ComponentId, Stamps>, Error> {
    let ids = store.ids()?.into_iter();
    Ok(ids
        .filter_map(|id| {
            let files = store.layout().component(&id);
            let metadata = FileStamp::of(&files.metadata)?;
            Some((id, (metadata, FileStamp::of(&files.rules))))
        })
        .collect())
}

/// The ids that were added, removed or changed.
fn changed(
    before: &HashMap<ComponentId, Stamps>,
    now: &HashMap<ComponentId, Stamps>,
) -> Vec<ComponentId> {
    let gone = before.keys().filter(|id| !now.contains_key(*id));
    let other = now
        .iter()
        .filter(|(id, stamp)| before.get(*id) != Some(*stamp));
    gone.chain(other.map(|(id, _)| id)).cloned().collect()
}

fn watcher(layout: &Layout, told: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let told = told.clone();
    let directory = layout.components();
    let watch = || {
        let mut watcher = notify::recommended_watcher(move |_| told.notify_one())?;
        watcher.watch(&directory, RecursiveMode::NonRecursive)?;
        Ok::<_, notify::Error>(watcher)
    };
    watch()
        .inspect_err(|error| tracing::debug!(%error, "polling instead of watching"))
        .ok()
}

impl Service {
    /// Offers a component as it is on disk now, or withdraws it.
    pub(super) async fn sync_from_disk(self: &Arc<Self>, id: &ComponentId) -> Result<(), Error> {
        match self.sync_as(id, Store::entry).await {
            // The damaged component is no longer offered.
            Err(Error::Store(StoreError::Damaged { .. })) => Ok(()),
            synced => synced,
        }
    }

    /// Like [`sync_from_disk`](Self::sync_from_disk), but hashes the component
    /// whatever its stamp says.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when it differs from the installed one; it is then no longer
    /// offered.
    pub(super) async fn revalidate(self: &Arc<Self>, id: &ComponentId) -> Result<(), Error> {
        self.sync_as(id, Store::entry_hashed).await
    }

    async fn sync_as(
        self: &Arc<Self>,
        id: &ComponentId,
        look: fn(&Store, &ComponentId) -> Result<Option<Entry>, StoreError>,
    ) -> Result<(), Error> {
        // Wait for a running load or unload of this process, which updates the tools
        // itself.
        let _turn = self.installer.locks.local(id).await;
        let wanted = id.clone();
        let found = self.disk.run(move |store| {
            let found = look(store, &wanted)?;
            let offered = match &found {
                Some(Entry::Sound(installed)) => store.offered(&installed.metadata),
                _ => Offered::default(),
            };
            Ok::<_, StoreError>((found, offered))
        });
        let (found, offered) = found.await??;
        match found {
            Some(Entry::Sound(installed)) => {
                self.follow_reach(&installed.metadata).await?;
                self.renew(id, &installed, offered);
            }
            Some(Entry::Damaged { id, damage, reason }) => {
                self.withdraw(&id);
                let (service, damaged, why) = (self.clone(), id.clone(), reason.clone());
                let aside = move || service.set_aside(&damaged, damage, &why);
                tokio::task::spawn_blocking(aside).await?;
                return Err(StoreError::Damaged { id, reason }.into());
            }
            None if self.withdraw(id).is_empty() => {}
            None => tracing::info!("component `{id}` was unloaded by another process"),
        }
        Ok(())
    }

    fn renew(&self, id: &ComponentId, installed: &Installed, offered: Offered) {
        let digests = &installed.metadata.digests;
        let mut programs = self.lock_programs();
        if programs
            .get(id)
            .is_some_and(|program| program.digest() != digests.component)
        {
            // Running calls keep the code they have.
            programs.remove(id);
        }
        drop(programs);
        if !self.toolbox.offers(id, &offered) {
            tracing::info!("component `{id}` was loaded or given other rules by another process");
            self.list_tools(id, offered);
        }
    }
}
