//! Changes a root to match a manifest.
//!
//! ```text
//! lock all -> stage all -> plan -> (shown) -> commit all or none
//! ```

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};

use crate::error::{Class, Diagnose, Report};
use crate::fetch::Progress;
use crate::net::Network;
use crate::reference::ComponentId;
use crate::schema::rules::ToolRules;
use crate::store::{Change, Entry, Installed, Metadata, Store, StoreError};

use super::plan::{NotPlanned, Plan};
use super::proposal::Found;
use super::{
    Candidate, Check, Committed, ComponentLock, Error, Failures, Installer, LoadRequest, Order,
    Part, Proposal, Staged, Surplus, Unreachable, Wanted,
};

/// Creates a progress display for each component.
pub trait ManyProgress: Send + Sync {
    fn of(&self, id: &ComponentId) -> Box<dyn Progress>;
}

/// The changes that were made.
#[derive(Default)]
pub struct Applied {
    pub installed: Vec<Installed>,
    /// The components that keep their version but have new grants or rules.
    pub settled: Vec<ComponentId>,
    pub removed: Vec<ComponentId>,
    /// Locks of the components, so that no one else changes them until this is dropped.
    pub locks: BTreeMap<ComponentId, ComponentLock>,
}

impl Installer {
    /// Stages all wanted components that are not installed, several at once, and returns the
    /// planned changes. Installed components are not changed.
    ///
    /// # Errors
    ///
    /// [`Error::NotAll`] when a component fails and the order stops at failures.
    pub async fn propose(
        &self,
        order: &Order,
        progress: &dyn ManyProgress,
    ) -> Result<Proposal, Error> {
        let surplus = self.surplus(order).await?;
        let ids = order.wanted.iter().map(|wanted| wanted.id.clone());
        let locks = self.lock_all(ids.chain(surplus)).await?;
        // Boxed, since the compiler cannot see that closures over references are
        // `Send` for every lifetime.
        let found: Vec<BoxFuture<'_, Result<Found, Error>>> = order
            .wanted
            .iter()
            .map(|wanted| {
                self.find(&locks[&wanted.id], wanted, order, progress)
                    .boxed()
            })
            .collect();
        let found = stream::iter(found).buffered(order.jobs.max(1));
        let found: Vec<_> = found.collect().await;
        let found = self.hold_to_rules(order, found).await?;
        let mut proposal = Proposal {
            plan: Plan::default(),
            metadata: Vec::new(),
            parts: Vec::new(),
            compile: order.compile,
            jobs: order.jobs,
            locks,
        };
        let mut failed = Vec::new();
        for (wanted, found) in order.wanted.iter().zip(found) {
            match found {
                Ok(found) => self.take(&mut proposal, wanted, found).await?,
                Err(error) => failed.push((wanted.id.clone(), error)),
            }
        }
        if order.failures == Failures::Stop && !failed.is_empty() {
            return Err(Error::NotAll { failed });
        }
        let failures = failed.iter().map(|(id, error)| NotPlanned {
            component_id: id.clone(),
            error: Report::new(error),
        });
        proposal.plan.failures = failures.collect();
        // Read again, now that the locks are held.
        for installed in self.surplus_metadata(order).await? {
            if proposal.locks.contains_key(&installed.component_id) {
                proposal.remove(&installed);
            }
        }
        Ok(proposal)
    }

    /// Makes the proposed changes, all of them or none.
    ///
    /// # Errors
    ///
    /// When code cannot be compiled, and those of [`Installer::commit`]; nothing is then changed.
    pub async fn carry_out(
        &self,
        proposal: Proposal,
        progress: &dyn ManyProgress,
    ) -> Result<Applied, Error> {
        let mut applied = Applied {
            locks: proposal.locks,
            ..Applied::default()
        };
        let mut codes = Vec::new();
        for part in &proposal.parts {
            match part {
                Part::Install { candidate, .. } => {
                    let id = candidate.metadata().component_id.clone();
                    codes.push((id, candidate.code()));
                }
                Part::Change(Change::Settle { id, .. }) => applied.settled.push(id.clone()),
                Part::Change(Change::Remove { id }) => applied.removed.push(id.clone()),
                Part::Change(Change::Install { .. }) => {}
            }
        }
        let compiled = codes.into_iter().map(|(id, code)| {
            async move {
                let progress = progress.of(&id);
                let compiled = self.compile(code, proposal.compile, &*progress).await;
                compiled.map_err(|error| (id, error))
            }
            .boxed()
        });
        let compiled: Vec<BoxFuture<'_, _>> = compiled.collect();
        let compiled = stream::iter(compiled).buffered(proposal.jobs.max(1));
        let compiled: Vec<_> = compiled.collect().await;
        let failed: Vec<_> = compiled.into_iter().filter_map(Result::err).collect();
        if !failed.is_empty() {
            return Err(Error::NotAll { failed });
        }
        if proposal.parts.is_empty() {
            return Ok(applied);
        }
        let committed = self.commit(proposal.parts).await?;
        applied.installed = committed
            .into_iter()
            .map(|Committed { installed, .. }| installed)
            .collect();
        Ok(applied)
    }

    /// Refuses components whose tool rules cannot be applied.
    async fn hold_to_rules(
        &self,
        order: &Order,
        found: Vec<Result<Found, Error>>,
    ) -> Result<Vec<Result<Found, Error>>, Error> {
        if order.wanted.iter().all(|wanted| wanted.tools.is_empty()) {
            return Ok(found);
        }
        let there = order
            .wanted
            .iter()
            .zip(&found)
            .filter_map(|(wanted, found)| {
                let metadata = found.as_ref().ok()?.metadata().clone();
                Some((metadata, wanted.tools.clone()))
            });
        let there: Vec<(Metadata, ToolRules)> = there.collect();
        let check = move |store: &Store| {
            let there: Vec<_> = there
                .iter()
                .map(|(metadata, rules)| (metadata, rules))
                .collect();
            store.unfit_rules(&there)
        };
        let mut faults = self.disk.run(check).await?.into_iter();
        let held = found.into_iter().map(|found| {
            let found = found?;
            match faults.next() {
                Some(faults) if !faults.is_empty() => {
                    let id = found.metadata().component_id.clone();
                    Err(StoreError::UnfitRules { id, faults }.into())
                }
                _ => Ok(found),
            }
        });
        Ok(held.collect())
    }

    /// The ids of the components to remove, as far as known without a lock.
    async fn surplus(&self, order: &Order) -> Result<Vec<ComponentId>, Error> {
        let surplus = self.surplus_metadata(order).await?.into_iter();
        Ok(surplus.map(|metadata| metadata.component_id).collect())
    }

    async fn surplus_metadata(&self, order: &Order) -> Result<Vec<Metadata>, Error> {
        let (Surplus::Removed, Some(manifest)) = (order.surplus, &order.manifest) else {
            return Ok(Vec::new());
        };
        let wanted: BTreeSet<&ComponentId> = order.wanted.iter().map(|one| &one.id).collect();
        let mut installed = self.installed().await?;
        installed.retain(|metadata| {
            metadata.manifest.as_ref() == Some(manifest) && !wanted.contains(&metadata.component_id)
        });
        Ok(installed)
    }

    /// Resolves one entry to an installed component or a candidate.
    async fn find(
        &self,
        lock: &ComponentLock,
        wanted: &Wanted,
        order: &Order,
        progress: &dyn ManyProgress,
    ) -> Result<Found, Error> {
        let progress = progress.of(&wanted.id);
        let wanted = &*self.located_entry(wanted, order).await?;
        let before = self.in_place(wanted, order.check).await?;
        let found = match before {
            Some(installed)
                if wanted.is_named_by(&installed.metadata)
                    && self
                        .still_trusts(&installed, &wanted.request(order))
                        .await? =>
            {
                Found::Kept {
                    installed: Box::new(installed),
                    note: None,
                }
            }
            before => {
                self.stage_wanted(lock, wanted, order, before, &*progress)
                    .await?
            }
        };
        wanted.hold_to_lock(found.metadata())?;
        Ok(found)
    }

    async fn in_place(&self, wanted: &Wanted, check: Check) -> Result<Option<Installed>, Error> {
        let (id, reference) = (wanted.id.clone(), wanted.reference.clone());
        let look = move |store: &Store| {
            store.owned_by(&id, &reference)?;
            match check {
                Check::Stamp => Ok(store.get(&id).unwrap_or_default()),
                Check::Hash => match store.entry_hashed(&id)? {
                    None => Ok(None),
                    Some(Entry::Sound(installed)) => Ok(Some(*installed)),
                    Some(Entry::Damaged { id, reason, .. }) => {
                        Err(StoreError::Damaged { id, reason })
                    }
                },
            }
        };
        Ok(self.disk.run(look).await??)
    }

    async fn stage_wanted(
        &self,
        lock: &ComponentLock,
        wanted: &Wanted,
        order: &Order,
        before: Option<Installed>,
        progress: &dyn Progress,
    ) -> Result<Found, Error> {
        let request = wanted.request(order);
        let mut tries = 0;
        loop {
            let error = match Box::pin(self.stage(lock, &request, progress)).await {
                Ok(Staged::Changed(candidate)) => {
                    return Ok(Found::Candidate(Box::new(candidate)));
                }
                Ok(Staged::Unchanged(same)) => {
                    return Ok(Found::Kept {
                        installed: Box::new(same.installed),
                        note: None,
                    });
                }
                Err(error) => error,
            };
            let class = error.class();
            // The tag may name other content now; the wanted content may still be available by
            // digest.
            let elsewhere = matches!(class, Class::NotFound | Class::Verification);
            if elsewhere
                && let Some(candidate) = self.by_digest(lock, wanted, order, progress).await
            {
                return Ok(Found::Candidate(Box::new(candidate)));
            }
            let again = class == Class::Network
                && self.rules.network == Network::On
                && tries < wanted.retry.max;
            if again {
                tries += 1;
                tracing::info!("`{}` is tried again: {error}", wanted.id);
                tokio::time::sleep(wanted.retry.delay).await;
                continue;
            }
            let stands_in = class == Class::Network
                && order.unreachable == Unreachable::TakesInstalled
                && wanted.digest.is_none()
                && wanted.locked.is_none();
            return match before {
                Some(installed)
                    if stands_in
                        && installed.metadata.source == wanted.reference
                        && self.still_trusts(&installed, &request).await? =>
                {
                    let note = format!("its source cannot be reached ({error}): it stays as it is");
                    Ok(Found::Kept {
                        installed: Box::new(installed),
                        note: Some(note),
                    })
                }
                _ => Err(error),
            };
        }
    }

    /// The artifact with the digest in the entry, if the source has it. The digest may also be
    /// that of a component's bytes, which cannot be requested from a registry.
    async fn by_digest(
        &self,
        lock: &ComponentLock,
        wanted: &Wanted,
        order: &Order,
        progress: &dyn Progress,
    ) -> Option<Candidate> {
        let digest = wanted.digest.filter(|_| wanted.locked.is_none())?;
        let request = LoadRequest {
            locked: Some(digest),
            ..wanted.request(order)
        };
        match Box::pin(self.stage(lock, &request, progress)).await {
            Ok(Staged::Changed(candidate)) => Some(candidate),
            // An installed component with this digest would have been recognised before.
            Ok(Staged::Unchanged(_)) => None,
            Err(error) => {
                tracing::debug!(%error, "`{}` is not found by its digest", wanted.id);
                None
            }
        }
    }
}
