//! Staging: turns a reference into a verified candidate on disk.

use crate::config::Digests;
use crate::fetch::{Fetched, Progress, Receipt, Resolved, Step};
use crate::net::Network;
use crate::reference::{ComponentId, Reference};
use crate::store::{Installation, Installed, Prepared, Staging, Store};
use crate::verify::Signature;

use super::outcome::unchanged;
use super::signature::needs_digest;
use super::{
    Candidate, ComponentLock, Enforcement, Error, Examined, Found, Installer, LoadRequest,
    TrustQuestion,
};

/// The result of staging.
#[allow(clippy::large_enum_variant, reason = "there is one for each load")]
pub enum Staged {
    Unchanged(Unchanged),
    Changed(Candidate),
}

/// The installed component is what the source has.
pub struct Unchanged {
    pub installed: Installed,
    /// The transfers that were needed to find that out.
    pub transfer: Receipt,
}

impl Installer {
    /// Resolves the request's reference, and stages its content unless it is installed already.
    /// Without a network, the component installed from the same reference is used.
    ///
    /// # Errors
    ///
    /// That of the stage that failed. Dropping the future leaves nothing behind.
    pub async fn stage(
        &self,
        lock: &ComponentLock,
        request: &LoadRequest,
        progress: &dyn Progress,
    ) -> Result<Staged, Error> {
        let request = &*self.located(lock.id(), request).await?;
        let before = self.before(lock.id(), &request.reference).await?;
        match before {
            Some(installed)
                if self.rules.network == Network::Off
                    && request.satisfied_offline(&installed)
                    && self.still_trusts(&installed, request).await? =>
            {
                Ok(Staged::Unchanged(Unchanged {
                    transfer: unchanged(&installed.metadata.receipt, None),
                    installed,
                }))
            }
            before => {
                let resolved = self.resolve(before.as_ref(), request, progress).await?;
                self.stage_resolved(resolved, before, lock, request, progress)
                    .await
            }
        }
    }

    /// Like [`Installer::stage`], but an installed component never replaces the source. `resolved`
    /// is the source's answer, if it was asked already.
    ///
    /// # Errors
    ///
    /// As [`Installer::stage`].
    pub async fn stage_update(
        &self,
        lock: &ComponentLock,
        request: &LoadRequest,
        resolved: Option<Resolved>,
        progress: &dyn Progress,
    ) -> Result<Staged, Error> {
        let request = &*match &resolved {
            Some(resolved) => request.found_at(resolved.reference()),
            None => self.located(lock.id(), request).await?,
        };
        let before = self.before(lock.id(), &request.reference).await?;
        let resolved = match resolved {
            Some(resolved) => resolved,
            None => self.resolve(before.as_ref(), request, progress).await?,
        };
        self.stage_resolved(resolved, before, lock, request, progress)
            .await
    }

    async fn resolve(
        &self,
        before: Option<&Installed>,
        request: &LoadRequest,
        progress: &dyn Progress,
    ) -> Result<Resolved, Error> {
        progress.step(Step::Resolving);
        self.check_pinned(request)?;
        let known = before.map(|old| &old.metadata.identity);
        if let Some(digest) = request.locked
            && let Some(resolved) = Resolved::locked(&request.reference, digest)
        {
            return Ok(resolved);
        }
        let resolved = self.fetcher.resolve_again(&request.reference, known);
        Ok(resolved.await?)
    }

    /// The component installed under the id, which must not come from another source. A damaged
    /// component counts as absent, because loading it again repairs it.
    async fn before(
        &self,
        id: &ComponentId,
        reference: &Reference,
    ) -> Result<Option<Installed>, Error> {
        let (id, reference) = (id.clone(), reference.clone());
        let look = move |store: &Store| {
            store.owned_by(&id, &reference)?;
            Ok(store.get(&id).unwrap_or_default())
        };
        self.disk.run(look).await?
    }

    async fn stage_resolved(
        &self,
        resolved: Resolved,
        before: Option<Installed>,
        lock: &ComponentLock,
        request: &LoadRequest,
        progress: &dyn Progress,
    ) -> Result<Staged, Error> {
        let before = match before {
            Some(installed)
                if request.satisfied_by(&installed, resolved.identity())
                    && self.still_trusts(&installed, request).await? =>
            {
                return Ok(Staged::Unchanged(Unchanged {
                    transfer: unchanged(&installed.metadata.receipt, Some(&resolved)),
                    installed,
                }));
            }
            before => before,
        };
        let staging = self.disk.run(|store| store.stage()).await??;
        progress.step(Step::Fetching);
        let question = TrustQuestion {
            reference: &request.reference,
            digest: request.digest.or(request.locked),
            expected: request.signers.expected.as_ref(),
            own: request.signers.rule.as_ref(),
            before: before.as_ref().map(|installed| &installed.metadata.trust),
            change: request.signers.change,
            enforcement: Enforcement::Enforce,
        };
        let resolved = resolved.pinned_to(request.digest);
        let fetching = self.fetch_trusted(resolved, staging.path(), question, progress);
        let (fetched, found) = Box::pin(fetching).await?;
        progress.step(Step::Verifying);
        match before {
            Some(installed) if request.same(&installed, &fetched) => self
                .refresh(installed, (fetched, found), request)
                .await
                .map(Staged::Unchanged),
            before => {
                let prepared = self.prepare(lock.id().clone(), staging, (fetched, found), request);
                Ok(Staged::Changed(Candidate {
                    prepared: prepared.await?,
                    before,
                }))
            }
        }
    }

    /// Whether the installed component still meets the rules and the request. If not, its
    /// signature is searched for again.
    pub(super) async fn still_trusts(
        &self,
        installed: &Installed,
        request: &LoadRequest,
    ) -> Result<bool, Error> {
        let rules = &self.rules.trust;
        let digests = &installed.metadata.digests;
        let own = request.signers.rule.as_ref();
        rules.admit(digests.manifest.into_iter().chain([digests.component]), own)?;
        let governing = self.governing(&request.reference, own).await?;
        let digest = request.digest.or(request.locked);
        let by_digest = digest.is_some() || request.reference.is_pinned();
        if !by_digest && needs_digest(&governing).is_some() {
            return Ok(false);
        }
        let (rules, expected) = (rules.clone(), request.signers.expected.clone());
        let trust = installed.metadata.trust.clone();
        let read = move || rules.still_trust(&trust, &governing, expected.as_ref());
        Ok(tokio::task::spawn_blocking(read).await??)
    }

    /// Unlike registries, web servers do not name content by digest.
    fn check_pinned(&self, request: &LoadRequest) -> Result<(), Error> {
        let bare = matches!(request.reference, Reference::Https(_))
            && request.digest.is_none()
            && request.reference.content_digest().is_none();
        if bare && self.rules.digests == Digests::Required {
            return Err(Error::DigestRequired);
        }
        Ok(())
    }

    /// Records that the source has the installed bytes, perhaps under another tag or with another
    /// date.
    async fn refresh(
        &self,
        mut installed: Installed,
        (fetched, found): (Fetched, Found),
        request: &LoadRequest,
    ) -> Result<Unchanged, Error> {
        if found.signature != Signature::NotSought {
            installed.metadata.trust.signature = found.signature;
        }
        installed.metadata.identity = fetched.identity;
        installed.metadata.source = fetched.reference;
        installed.metadata.package.clone_from(&request.package);
        let work = move |store: &Store| {
            store.refresh(&installed, found.evidence.as_ref())?;
            Ok::<_, Error>(installed)
        };
        Ok(Unchanged {
            installed: self.disk.run(work).await??,
            transfer: fetched.receipt,
        })
    }

    /// Verifies, describes and stages: all work on the fetched bytes.
    async fn prepare(
        &self,
        id: ComponentId,
        staging: Staging,
        (fetched, found): (Fetched, Found),
        request: &LoadRequest,
    ) -> Result<Prepared, Error> {
        let requirements = request.requirements();
        let (package, manifest) = (request.package.clone(), request.manifest.clone());
        let work = move |store: &Store| {
            let examined = Examined::new((fetched, &found), &requirements, id.as_str())?;
            let tools = examined.description.tools()?;
            let installation = Installation {
                id,
                verified: examined.verified,
                tools,
                description: examined.description,
                requested_permissions: examined.requested_permissions,
                package,
                manifest,
                evidence: found.evidence,
            };
            Ok(store.prepare(staging, installation)?)
        };
        self.disk.run(work).await?
    }
}
