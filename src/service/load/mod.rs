//! `load`: from a reference to tools.

mod outcome;
mod request;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::fetch::{Fetched, Progress, Receipt, Step};
use crate::net::Network;
use crate::policy;
use crate::reference::{ComponentId, Reference};
use crate::runtime::{CodeSource, Force};
use crate::schema::{self, Description};
use crate::store::{Installation, Installed, Metadata, Prepared, Staging};
use crate::verify;

use super::config::Digests;
use super::grants::{Consent, Settlement};
use super::{Error, Service, code_source};

use outcome::{elapsed_ms, unchanged};

pub use outcome::{LoadOutcome, LoadReceipt, LoadStatus};
pub use request::{Compile, LoadRequest};

pub(super) use outcome::Loaded;

/// What a source had, before anything changed for it.
#[allow(clippy::large_enum_variant, reason = "there is one for each load")]
pub(super) enum Brought {
    /// What is installed, which is offered.
    Same(Loaded),
    Other(Candidate),
}

/// A version that is verified and laid out, and not in place yet.
pub(super) struct Candidate {
    prepared: Prepared,
    /// What it would replace.
    before: Option<Installed>,
}

impl Service {
    /// Fetches, verifies, describes and installs a component, offers its
    /// tools, and grants what the user agrees to. Dropping the future leaves
    /// nothing half-done behind.
    ///
    /// # Errors
    ///
    /// The error of the stage that failed; what was installed before is then
    /// still in place.
    pub async fn load(
        self: &Arc<Self>,
        request: LoadRequest,
        progress: &dyn Progress,
        consent: &dyn Consent,
    ) -> Result<LoadOutcome, Error> {
        let started = Instant::now();
        // On the heap: fetching is deep, and so are those who call this.
        let loaded = Box::pin(self.place(&request, progress)).await?;
        // No one waits for the answer to a question but who asked it.
        let settlement = Settlement {
            metadata: &loaded.metadata,
            status: loaded.status,
            choice: request.policy,
            origin: request.origin,
            consent,
        };
        let settled = self.settle(settlement).await?;
        Ok(loaded.outcome(settled, started))
    }

    /// All of a load but its grants.
    async fn place(
        self: &Arc<Self>,
        request: &LoadRequest,
        progress: &dyn Progress,
    ) -> Result<Loaded, Error> {
        let id = match &request.name {
            Some(name) => name.clone(),
            None => request.reference.default_id()?,
        };
        let _alone = self.alone(&id).await?;
        if self.network == Network::Off
            && let Some(loaded) = self.standing_in(&id, request, progress).await?
        {
            return Ok(loaded);
        }
        match Box::pin(self.bring(&id, request, progress)).await? {
            Brought::Same(loaded) => Ok(loaded),
            Brought::Other(candidate) => self.put(candidate, request.compile, progress).await,
        }
    }

    /// What is installed, where it stands in for a source that cannot be asked.
    async fn standing_in(
        self: &Arc<Self>,
        id: &ComponentId,
        request: &LoadRequest,
        progress: &dyn Progress,
    ) -> Result<Option<Loaded>, Error> {
        self.store.owned_by(id, &request.reference)?;
        let installed = self.store.get(id).unwrap_or_default();
        match installed.filter(|installed| request.satisfied_offline(installed)) {
            Some(installed) => {
                let receipt = unchanged(&installed.metadata.receipt, None);
                let same = self.same(&installed, receipt, request, progress);
                same.await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// Finds out what the reference stands for, and lays it out when it is
    /// not what is installed. To be called by who is alone with the component.
    pub(super) async fn bring(
        self: &Arc<Self>,
        id: &ComponentId,
        request: &LoadRequest,
        progress: &dyn Progress,
    ) -> Result<Brought, Error> {
        self.store.owned_by(id, &request.reference)?;
        // A damaged component counts as absent: loading it again mends it.
        let before = self.store.get(id).unwrap_or_default();

        progress.step(Step::Resolving);
        self.check_pinned(request)?;
        let known = before.as_ref().map(|old| &old.metadata.identity);
        let resolved = self
            .fetcher
            .resolve_again(&request.reference, known)
            .await?;
        if let Some(installed) = &before
            && request.satisfied_by(installed, resolved.identity())
        {
            let receipt = unchanged(&installed.metadata.receipt, Some(&resolved));
            let same = self.same(installed, receipt, request, progress);
            return same.await.map(Brought::Same);
        }

        let staging = self.store.stage()?;
        progress.step(Step::Fetching);
        let fetched = self
            .fetcher
            .fetch(resolved.pinned_to(request.digest), staging.path(), progress)
            .await?;
        progress.step(Step::Verifying);
        if let Some(installed) = before.as_ref().filter(|old| request.same(old, &fetched)) {
            let mut installed = installed.clone();
            installed.metadata.identity = fetched.identity;
            installed.metadata.source = fetched.reference;
            self.store.refresh(&installed)?;
            let receipt = fetched.receipt;
            let same = self.same(&installed, receipt, request, progress);
            return same.await.map(Brought::Same);
        }
        let prepared = self.prepare(id.clone(), staging, fetched, request).await?;
        Ok(Brought::Other(Candidate { prepared, before }))
    }

    /// Compiles a candidate where that is wanted, installs and offers it.
    pub(super) async fn put(
        self: &Arc<Self>,
        candidate: Candidate,
        compile: Compile,
        progress: &dyn Progress,
    ) -> Result<Loaded, Error> {
        let Candidate { prepared, before } = candidate;
        let compile_ms = self
            .compile(staged_code(&prepared), compile, progress)
            .await?;
        let service = self.clone();
        let installed =
            tokio::task::spawn_blocking(move || service.store.install(prepared)).await??;
        let tool_names = self.offer(&installed, compile);
        Ok(Loaded {
            status: match before {
                Some(_) => LoadStatus::Replaced,
                None => LoadStatus::New,
            },
            tool_names,
            transfer: installed.metadata.receipt.clone(),
            compile_ms,
            metadata: installed.metadata,
        })
    }

    /// Web servers, unlike registries, name nothing by its content.
    fn check_pinned(&self, request: &LoadRequest) -> Result<(), Error> {
        let bare = matches!(request.reference, Reference::Https(_))
            && request.digest.is_none()
            && request.reference.content_digest().is_none();
        if bare && self.digests == Digests::Required {
            return Err(Error::DigestRequired);
        }
        Ok(())
    }

    async fn same(
        self: &Arc<Self>,
        installed: &Installed,
        transfer: Receipt,
        request: &LoadRequest,
        progress: &dyn Progress,
    ) -> Result<Loaded, Error> {
        let compile_ms = self
            .compile(code_source(installed), request.compile, progress)
            .await?;
        let metadata = &installed.metadata;
        let offered = self.toolbox.names_of(&metadata.component_id);
        let tool_names = if offered.is_empty() {
            self.offer(installed, request.compile)
        } else {
            offered
        };
        Ok(Loaded {
            status: LoadStatus::AlreadyLoaded,
            tool_names,
            transfer,
            compile_ms,
            metadata: metadata.clone(),
        })
    }

    /// Verify, describe, and lay out in staging: all the work on bytes.
    async fn prepare(
        self: &Arc<Self>,
        id: ComponentId,
        staging: Staging,
        fetched: Fetched,
        request: &LoadRequest,
    ) -> Result<Prepared, Error> {
        let service = self.clone();
        let requirements = request.requirements();
        let work = move || {
            let verified = verify::verify(fetched, &requirements)?;
            let fetched = verified.fetched();
            let description = describe(&fetched.component.path, id.as_str())?;
            let requested_permissions = fetched
                .policy
                .as_deref()
                .map(policy::requested_permissions)
                .transpose()?;
            let tools = description.tools()?;
            let installation = Installation {
                id,
                verified,
                tools,
                description,
                requested_permissions,
            };
            Ok(service.store.prepare(staging, installation)?)
        };
        tokio::task::spawn_blocking(work).await?
    }

    async fn compile(
        &self,
        code: CodeSource,
        when: Compile,
        progress: &dyn Progress,
    ) -> Result<Option<u64>, Error> {
        if when == Compile::Background {
            return Ok(None);
        }
        progress.step(Step::Compiling);
        let started = Instant::now();
        let program = self.runtime.program(code);
        let report = match when {
            Compile::Force => program.optimised(Force::Yes).await?,
            Compile::Wait | Compile::Background => program.callable().await.map_err(Arc::new)?,
        };
        tracing::debug!(tier = report.tier.name(), "the tools can be called");
        Ok(Some(elapsed_ms(started)))
    }

    pub(super) fn offer(&self, installed: &Installed, compile: Compile) -> Vec<String> {
        let metadata = &installed.metadata;
        let program = self.runtime.program(code_source(installed));
        if compile == Compile::Background {
            program.warm();
        }
        self.lock_programs()
            .insert(metadata.component_id.clone(), program);
        self.toolbox
            .insert(&metadata.component_id, metadata.tools.clone())
    }
}

impl Candidate {
    pub fn metadata(&self) -> &Metadata {
        &self.prepared.metadata
    }
}

/// Reads a component's world and tools from its bytes.
pub(super) fn describe(path: &Path, name: &str) -> Result<Description, Error> {
    let bytes = std::fs::read(path).map_err(crate::store::StoreError::io("read", path))?;
    let description = schema::describe(&bytes, name)?;
    Ok(description)
}

fn staged_code(prepared: &Prepared) -> CodeSource {
    CodeSource {
        wasm: prepared.files.wasm.clone(),
        digest: prepared.metadata.digests.component,
        cwasm: prepared.files.cwasm.clone(),
    }
}
