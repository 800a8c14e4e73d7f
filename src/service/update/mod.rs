//! Other versions of what is installed: whether there is one, what it would
//! change, going to it and back.

mod changes;
mod outdated;

use std::sync::Arc;

use serde::Serialize;

use crate::digest::Digest;
use crate::fetch::Progress;
use crate::reference::ComponentId;
use crate::store::{Digests, Entry, Metadata, Origin, StoreError};
use crate::verify::Verification;

use super::grants::{Described, NobodyToAsk, PolicyChoice, Settlement};
use super::load::{Brought, Compile, LoadRequest};
use super::{Error, Service};

pub use changes::{Change, Changes, ToolChange};
pub use outdated::{Freshness, Outdated};

/// Which new versions are put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review {
    /// None; it is told what they would change.
    DryRun,
    /// Those that change nothing but code.
    CodeOnly,
    /// All: whatever they change is accepted.
    Accepted,
    /// The one of this digest, whose changes somebody looked at.
    AcceptedAs(Digest),
}

impl Review {
    fn of(self, changes: &Changes, now: &Digests) -> UpdateStatus {
        let accepted = match self {
            Review::DryRun => return UpdateStatus::Available,
            Review::CodeOnly => changes.is_empty(),
            Review::Accepted => true,
            Review::AcceptedAs(digest) => digest == now.whole(),
        };
        match accepted {
            true => UpdateStatus::Updated,
            false => UpdateStatus::Held,
        }
    }
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateStatus {
    UpToDate,
    /// There is a new version; nothing was to be done.
    Available,
    /// There is a new version, which nobody accepted.
    Held,
    Updated,
}

/// One component's update.
#[derive(Debug, Clone, Serialize)]
pub struct Updated {
    pub component_id: ComponentId,
    pub status: UpdateStatus,
    pub before: Digests,
    /// Of the version that the source has.
    pub now: Digests,
    pub changes: Changes,
    /// What the version in place asks for and may not do.
    pub not_granted: Vec<Described>,
}

/// One component's way back.
#[derive(Debug, Clone, Serialize)]
pub struct RolledBack {
    pub component_id: ComponentId,
    pub before: Digests,
    pub now: Digests,
    /// Against what was in place.
    pub changes: Changes,
    pub tool_names: Vec<String>,
}

impl Service {
    /// Puts the version that the component's source has now in place, if the
    /// review lets it. Grants stay as they are, whatever the version asks for.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotInstalled`], or those of [`Service::load`]; what is
    /// installed then stays in place.
    pub async fn update(
        self: &Arc<Self>,
        id: &ComponentId,
        review: Review,
        progress: &dyn Progress,
    ) -> Result<Updated, Error> {
        let _alone = self.alone(id).await?;
        let installed = self.installed(id)?.metadata;
        let request = again(&installed);
        let candidate = match Box::pin(self.bring(id, &request, progress)).await? {
            Brought::Other(candidate) => candidate,
            Brought::Same(loaded) => {
                return Ok(Updated {
                    component_id: id.clone(),
                    status: UpdateStatus::UpToDate,
                    before: installed.digests,
                    now: loaded.metadata.digests,
                    changes: Changes::default(),
                    not_granted: Vec::new(),
                });
            }
        };
        let now = candidate.metadata().digests.clone();
        let changes = Changes::between(&installed, candidate.metadata());
        let status = review.of(&changes, &now);
        let mut not_granted = Vec::new();
        if status == UpdateStatus::Updated {
            let loaded = self.put(candidate, Compile::Wait, progress).await?;
            let settlement = Settlement {
                metadata: &loaded.metadata,
                status: loaded.status,
                choice: PolicyChoice::Bundled,
                origin: request.origin,
                consent: &NobodyToAsk,
            };
            not_granted = self.settle(settlement).await?.not_granted;
        }
        Ok(Updated {
            component_id: id.clone(),
            status,
            before: installed.digests,
            now,
            changes,
            not_granted,
        })
    }

    /// Puts the version before the one in place back; doing so again undoes
    /// it. Grants stay as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoPrevious`] when none is kept.
    pub async fn roll_back(self: &Arc<Self>, id: &ComponentId) -> Result<RolledBack, Error> {
        let _alone = self.alone(id).await?;
        let (service, component) = (self.clone(), id.clone());
        let back = move || service.store.roll_back(&component);
        let back = tokio::task::spawn_blocking(back).await??;
        let now = &back.now.metadata;
        Ok(RolledBack {
            component_id: id.clone(),
            changes: Changes::between(&back.before, now),
            before: back.before.digests.clone(),
            now: now.digests.clone(),
            tool_names: self.offer(&back.now, Compile::Background),
        })
    }

    /// What is installed and sound, in the order of the ids.
    pub(super) fn sound(&self) -> Result<Vec<Metadata>, StoreError> {
        let mut sound: Vec<Metadata> = self
            .store
            .list()?
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Sound(installed) => Some(installed.metadata),
                Entry::Damaged { .. } => None,
            })
            .collect();
        sound.sort_by(|a, b| a.component_id.cmp(&b.component_id));
        Ok(sound)
    }
}

/// The load that brought what is installed, once more. Its verification is not
/// skipped again.
fn again(installed: &Metadata) -> LoadRequest {
    LoadRequest {
        reference: installed.source.clone(),
        name: Some(installed.component_id.clone()),
        digest: None,
        verification: Verification::Required,
        // Tools of what is up to date need no code yet.
        compile: Compile::Background,
        policy: PolicyChoice::Bundled,
        origin: Origin::Cli,
    }
}
