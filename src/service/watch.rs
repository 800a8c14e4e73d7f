//! What other processes do to the root: a server's tools follow it.
//!
//! Every change there is one rename in `components/`, so that directory alone
//! is watched. Where the system cannot tell, and to be safe where it can, the
//! directory's time is looked at now and then.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::reference::ComponentId;
use crate::store::{Entry, Installed, Metadata, Store};

use super::{Error, Service};

/// How often the directory's time is looked at where nothing tells of changes.
const POLL: Duration = Duration::from_secs(1);
/// The same where something does, but may have been overrun.
const SECOND_LOOK: Duration = Duration::from_secs(10);
/// One command makes several changes; they are looked at together.
const SETTLE: Duration = Duration::from_millis(20);

/// Tells a file or directory from what was in its place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: Option<SystemTime>,
}

/// Follows one root. What happens between its making and its run is seen by the run.
pub struct Watch {
    service: Arc<Service>,
    told: Arc<Notify>,
    /// `None` where the system cannot tell, or there is nothing to watch yet.
    watcher: Option<RecommendedWatcher>,
    directory: Option<Stamp>,
    components: HashMap<ComponentId, Stamp>,
}

impl Watch {
    /// Notes how things stand. To be made before the tools are offered.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub fn begin(service: Arc<Service>) -> Result<Self, Error> {
        let told = Arc::new(Notify::new());
        let directory = Stamp::of(&service.store.layout().components());
        let watcher = watcher(&service.store, &told);
        let components = stamps(&service.store)?;
        Ok(Watch {
            service,
            told,
            watcher,
            directory,
            components,
        })
    }

    /// Keeps the tools as they are on disk until the future is dropped.
    pub async fn run(mut self) {
        loop {
            let pause = if self.watcher.is_some() {
                SECOND_LOOK
            } else {
                POLL
            };
            let told = tokio::time::timeout(pause, self.told.notified()).await;
            if told.is_ok() {
                tokio::time::sleep(SETTLE).await;
            }
            if let Err(error) = self.look().await {
                tracing::warn!("cannot see what is installed: {error}");
            }
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let directory = Stamp::of(&self.service.store.layout().components());
        if directory == self.directory {
            return Ok(());
        }
        let replaced = directory.map(|stamp| stamp.inode) != self.directory.map(|old| old.inode);
        if replaced {
            self.watcher = watcher(&self.service.store, &self.told);
        }
        let service = self.service.clone();
        let now = tokio::task::spawn_blocking(move || stamps(&service.store)).await??;
        for id in changed(&self.components, &now) {
            self.service.follow(&id).await?;
        }
        self.components = now;
        self.directory = directory;
        Ok(())
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Stamp {
            inode,
            modified: metadata.modified().ok(),
        })
    }
}

/// The metadata files of all components.
fn stamps(store: &Store) -> Result<HashMap<ComponentId, Stamp>, Error> {
    let ids = store.ids()?.into_iter();
    Ok(ids
        .filter_map(|id| {
            let stamp = Stamp::of(&store.layout().component(&id).metadata)?;
            Some((id, stamp))
        })
        .collect())
}

/// The ids that appeared, vanished or became something else.
fn changed(
    before: &HashMap<ComponentId, Stamp>,
    now: &HashMap<ComponentId, Stamp>,
) -> Vec<ComponentId> {
    let gone = before.keys().filter(|id| !now.contains_key(*id));
    let other = now
        .iter()
        .filter(|(id, stamp)| before.get(*id) != Some(*stamp));
    gone.chain(other.map(|(id, _)| id)).cloned().collect()
}

fn watcher(store: &Store, told: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let told = told.clone();
    let directory = store.layout().components();
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
    /// Offers a component as it is on disk now, or no longer.
    pub(super) async fn follow(self: &Arc<Self>, id: &ComponentId) -> Result<(), Error> {
        // A load or unload of this process under way ends first, and has then
        // offered the same itself.
        let _turn = self.turns.take(id).await;
        let (service, wanted) = (self.clone(), id.clone());
        let found = tokio::task::spawn_blocking(move || service.store.entry(&wanted)).await??;
        match found {
            Some(Entry::Sound(installed)) => self.renew(id, *installed),
            Some(Entry::Damaged { damage, reason, .. }) => {
                self.withdraw(id);
                self.set_aside(id, damage, &reason);
            }
            None if self.withdraw(id).is_empty() => {}
            None => tracing::info!("component `{id}` was unloaded by another process"),
        }
        Ok(())
    }

    fn renew(&self, id: &ComponentId, installed: Installed) {
        let Metadata { digests, tools, .. } = installed.metadata;
        let mut programs = self.lock_programs();
        if programs
            .get(id)
            .is_some_and(|program| program.digest() != digests.component)
        {
            // Calls under way keep the code they have.
            programs.remove(id);
        }
        drop(programs);
        if !self.toolbox.offers(id, &tools) {
            tracing::info!("component `{id}` was loaded by another process");
            self.toolbox.insert(id, tools);
        }
    }
}
