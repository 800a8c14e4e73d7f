//! Updates and rollbacks: finds newer versions, shows what they would change, and
//! installs them or the previous version.

use std::sync::Arc;

use serde::Serialize;

use crate::digest::Digest;
use crate::error::{Class, Diagnose, Report};
use crate::fetch::{Progress, Resolved};
use crate::install::{
    self, Asked, Changes, Compile, Described, LoadRequest, NobodyToAsk, Outdated, PolicyChoice,
    Settlement, SignerChange, SignerRequest, SourceAnswer, Staged,
};
use crate::reference::ComponentId;
use crate::store::{Digests, Metadata, Origin, Store};
use crate::verify::Verification;

use super::{Error, Service};

/// Which new versions are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review {
    /// None; the changes are only reported.
    DryRun,
    /// Those that change nothing but code.
    CodeOnly,
    /// All, whatever they change.
    Accepted,
    /// The one with this digest, whose changes were reviewed.
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

/// The outcome of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateStatus {
    UpToDate,
    /// There is a new version, and this was a dry run.
    Available,
    /// There is a new version, whose changes were not accepted.
    Held,
    Updated,
}

/// One component's update.
#[derive(Debug, Clone, Serialize)]
pub struct Updated {
    pub component_id: ComponentId,
    pub status: UpdateStatus,
    pub before: Digests,
    /// The digests of the version at the source.
    pub now: Digests,
    pub changes: Changes,
    /// What the installed version requests and is not granted.
    pub not_granted: Vec<Described>,
}

/// The outcome for all components that have another version at their source.
#[derive(Debug, Default, Serialize)]
pub struct Updates {
    pub components: Vec<Updated>,
    /// Components that could not be updated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<NotUpdated>,
}

/// A component that could not be updated, and stays as it is.
#[derive(Debug, Serialize)]
pub struct NotUpdated {
    pub component_id: ComponentId,
    pub error: Report,
    #[serde(skip)]
    pub class: Class,
}

/// The outcome of a rollback.
#[derive(Debug, Clone, Serialize)]
pub struct RolledBack {
    pub component_id: ComponentId,
    pub before: Digests,
    pub now: Digests,
    /// Compared with the version that was replaced.
    pub changes: Changes,
    pub tool_names: Vec<String>,
}

impl Service {
    /// Installs the version that the component's source has now, if the review allows
    /// it. Grants stay as they are, whatever the new version requests.
    ///
    /// # Errors
    ///
    /// `NotInstalled` of the store, or those of [`Service::load`]; the installed
    /// version then stays in place.
    pub async fn update(
        self: &Arc<Self>,
        id: &ComponentId,
        (review, signer): (Review, SignerChange),
        progress: &dyn Progress,
    ) -> Result<Updated, Error> {
        self.update_to(None, id, (review, signer), progress).await
    }

    /// As [`Service::update`]; `resolved` is the source's answer, if it was asked
    /// already.
    async fn update_to(
        self: &Arc<Self>,
        resolved: Option<Resolved>,
        id: &ComponentId,
        (review, signer): (Review, SignerChange),
        progress: &dyn Progress,
    ) -> Result<Updated, Error> {
        let lock = self.installer.lock(id).await?;
        let installed = self.installed(id).await?.metadata;
        let request = again(&installed, signer);
        let installer = &self.installer;
        let staged = Box::pin(installer.stage_update(&lock, &request, resolved, progress)).await?;
        let candidate = match staged {
            Staged::Changed(candidate) => candidate,
            same @ Staged::Unchanged(_) => {
                let loaded = self.place(same, request.compile, progress).await?;
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
            let staged = Staged::Changed(candidate);
            let loaded = self.place(staged, Compile::Wait, progress).await?;
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

    /// Asks the source of every sound component for its current version, with one
    /// request each; downloads nothing.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn outdated(&self) -> Result<Vec<Outdated>, Error> {
        let asked = self.installer.ask_sources().await?;
        Ok(asked.iter().map(Outdated::from).collect())
    }

    /// Updates every component that has another version at its source: asks all
    /// sources at once, then updates one component after the other.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed; the outcome for each component is in the
    /// report.
    pub async fn update_all(
        self: &Arc<Self>,
        (review, signer): (Review, SignerChange),
        progress: &dyn Progress,
    ) -> Result<Updates, Error> {
        let mut updates = Updates::default();
        for Asked { metadata, answer } in self.installer.ask_sources().await? {
            let id = metadata.component_id;
            let updated = match answer {
                SourceAnswer::Pinned => continue,
                SourceAnswer::Found(resolved)
                    if resolved.identity().same_content(&metadata.identity) =>
                {
                    continue;
                }
                SourceAnswer::Found(resolved) => {
                    let how = (review, signer);
                    self.update_to(Some(*resolved), &id, how, progress).await
                }
                SourceAnswer::Failed(error) => Err(install::Error::from(error).into()),
            };
            match updated {
                Ok(updated) => updates.components.push(updated),
                Err(error) => updates.failures.push(NotUpdated {
                    component_id: id,
                    error: Report::new(&error),
                    class: error.class(),
                }),
            }
        }
        Ok(updates)
    }

    /// Installs the previous version again; a second rollback undoes the first.
    /// Grants stay as they are.
    ///
    /// # Errors
    ///
    /// `NoPrevious` of the store, when none is kept.
    pub async fn roll_back(self: &Arc<Self>, id: &ComponentId) -> Result<RolledBack, Error> {
        let _lock = self.installer.lock(id).await?;
        let component = id.clone();
        let back = move |store: &Store| store.roll_back(&component);
        let back = self.disk.run(back).await??;
        let now = &back.now.metadata;
        Ok(RolledBack {
            component_id: id.clone(),
            changes: Changes::between(&back.before, now),
            before: back.before.digests.clone(),
            now: now.digests.clone(),
            tool_names: self.offer(&back.now, Compile::Background).await?,
        })
    }
}

/// A request that repeats the load of the installed component. Verification is not skipped again.
fn again(installed: &Metadata, change: SignerChange) -> LoadRequest {
    LoadRequest {
        reference: installed.asked_for().clone(),
        package: None,
        name: Some(installed.component_id.clone()),
        digest: None,
        locked: None,
        verification: Verification::Required,
        // If the component is up to date, its tools need no code yet.
        compile: Compile::Background,
        policy: PolicyChoice::Bundled,
        signers: SignerRequest {
            change,
            ..SignerRequest::default()
        },
        origin: Origin::Cli,
        manifest: installed.manifest.clone(),
    }
}
