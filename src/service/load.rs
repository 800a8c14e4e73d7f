//! `load`: from a reference to tools.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::fetch::{Fetched, Identity, Network, Progress, Receipt, Resolved, Step};
use crate::policy;
use crate::reference::{ComponentId, Reference};
use crate::runtime::{CodeSource, Force};
use crate::schema::{self, Description};
use crate::store::{Installation, Installed, Metadata, Origin, Prepared, Staging};
use crate::verify::{self, Requirements, Trust, Verification};

use super::config::Digests;
use super::grants::{Consent, Described, PolicyChoice, Settled, Settlement};
use super::{Error, Service, code_source};

/// What to load, and under which conditions.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    pub reference: Reference,
    /// The id to install under; otherwise made from the reference.
    pub name: Option<ComponentId>,
    /// The OCI manifest or the component must have this digest.
    pub digest: Option<Digest>,
    pub verification: Verification,
    pub compile: Compile,
    pub policy: PolicyChoice,
    /// By what means what the load grants is granted.
    pub origin: Origin,
}

/// When native code is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compile {
    /// Tools are offered at once; code follows.
    Background,
    /// The load ends when optimised code is in the store.
    Wait,
    /// As `Wait`, and code that is there is made again.
    Force,
}

/// How the component stood to what was installed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadStatus {
    New,
    Replaced,
    AlreadyLoaded,
}

#[derive(Debug, Clone, Serialize)]
pub struct LoadOutcome {
    pub component_id: ComponentId,
    pub status: LoadStatus,
    pub tool_names: Vec<String>,
    /// What the artifact asks to be allowed.
    pub requested_permissions: Option<Value>,
    /// All that the component may do now.
    pub granted_permissions: Vec<Described>,
    /// What it asks for and may not do.
    pub not_granted: Vec<Described>,
    /// Plain sentences on what is odd about the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    pub receipt: LoadReceipt,
}

/// What one load did.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReceipt {
    #[serde(flatten)]
    pub transfer: Receipt,
    pub trust: Trust,
    /// Milliseconds spent on native code; absent when it is made later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compile_ms: Option<u64>,
    pub total_ms: u64,
}

/// A component that is in place, before its grants are settled.
struct Loaded {
    metadata: Metadata,
    status: LoadStatus,
    tool_names: Vec<String>,
    transfer: Receipt,
    compile_ms: Option<u64>,
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
        let loaded = self.place(&request, progress).await?;
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
        self.store.owned_by(&id, &request.reference)?;
        // A damaged component counts as absent: loading it again mends it.
        let before = self.store.get(&id).unwrap_or_default();

        if let Some(installed) = &before
            && self.network == Network::Off
            && request.satisfied_offline(installed)
        {
            let receipt = unchanged(&installed.metadata.receipt, None);
            return self
                .already_loaded(installed, receipt, request, progress)
                .await;
        }
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
            return self
                .already_loaded(installed, receipt, request, progress)
                .await;
        }

        let staging = self.store.stage()?;
        progress.step(Step::Fetching);
        let fetched = self
            .fetcher
            .fetch(resolved, staging.path(), progress)
            .await?;
        progress.step(Step::Verifying);
        if let Some(installed) = before.as_ref().filter(|old| request.same(old, &fetched)) {
            let mut installed = installed.clone();
            installed.metadata.identity = fetched.identity;
            installed.metadata.source = fetched.reference;
            self.store.refresh(&installed)?;
            return self
                .already_loaded(&installed, fetched.receipt, request, progress)
                .await;
        }
        let prepared = self.prepare(id, staging, fetched, request).await?;
        let compile_ms = self
            .compile(staged_code(&prepared), request.compile, progress)
            .await?;
        let service = self.clone();
        let installed =
            tokio::task::spawn_blocking(move || service.store.install(prepared)).await??;
        let tool_names = self.offer(&installed, request.compile);
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

    async fn already_loaded(
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
        let force = match when {
            Compile::Background => return Ok(None),
            Compile::Wait => Force::No,
            Compile::Force => Force::Yes,
        };
        progress.step(Step::Compiling);
        let started = Instant::now();
        self.runtime.program(code).optimised(force).await?;
        Ok(Some(elapsed_ms(started)))
    }

    fn offer(&self, installed: &Installed, compile: Compile) -> Vec<String> {
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

impl Loaded {
    fn outcome(self, settled: Settled, started: Instant) -> LoadOutcome {
        LoadOutcome {
            component_id: self.metadata.component_id,
            status: self.status,
            tool_names: self.tool_names,
            requested_permissions: self.metadata.requested_permissions,
            granted_permissions: settled.granted,
            not_granted: settled.not_granted,
            remarks: settled.remarks,
            receipt: LoadReceipt {
                transfer: self.transfer,
                trust: self.metadata.trust,
                compile_ms: self.compile_ms,
                total_ms: elapsed_ms(started),
            },
        }
    }
}

impl LoadRequest {
    pub(super) fn requirements(&self) -> Requirements {
        Requirements {
            digest: self.digest,
            verification: self.verification,
        }
    }

    /// Whether the source still has what is installed, checked as asked.
    fn satisfied_by(&self, installed: &Installed, identity: &Identity) -> bool {
        installed.metadata.identity.same_content(identity) && self.accepts(installed)
    }

    /// Without a network no source can be asked, and what is installed stands
    /// for it. Sources on this machine are asked as always.
    fn satisfied_offline(&self, installed: &Installed) -> bool {
        let remote = matches!(self.reference, Reference::Oci(_) | Reference::Https(_));
        remote && installed.metadata.source == self.reference && self.accepts(installed)
    }

    /// Whether the source's bytes turned out to be those that are installed.
    fn same(&self, installed: &Installed, fetched: &Fetched) -> bool {
        let digests = &installed.metadata.digests;
        let manifest = fetched.artifact.as_ref().map(|a| a.manifest_digest);
        digests.component == fetched.component.digest
            && digests.manifest == manifest
            && self.accepts(installed)
    }

    fn accepts(&self, installed: &Installed) -> bool {
        let metadata = &installed.metadata;
        let digests = &metadata.digests;
        let named = self.reference.content_digest();
        let pinned = self.digest.into_iter().chain(named).all(|pin| {
            metadata.trust == Trust::Pinned
                && (pin == digests.component || Some(pin) == digests.manifest)
        });
        let trusted =
            metadata.trust != Trust::Skipped || self.verification == Verification::Skipped;
        pinned && trusted
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

/// The receipt of a load that found nothing to download.
fn unchanged(receipt: &Receipt, resolved: Option<&Resolved>) -> Receipt {
    Receipt {
        hosts_tried: resolved.map(Resolved::hosts_tried).unwrap_or_default(),
        bytes_downloaded: 0,
        requests: resolved.map_or(0, Resolved::requests),
        retries: 0,
        bytes_resumed: 0,
        fetch_ms: 0,
        ..receipt.clone()
    }
}

fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
