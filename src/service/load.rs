//! `load`: installs the component that a reference names, and offers its tools.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::digest::Digest;
use crate::fetch::Progress;
use crate::install::{
    Answer, Compile, Consent, LoadOutcome, LoadRequest, LoadStatus, Loaded, Part, Settled,
    Settlement, Staged,
};
use crate::reference::ComponentId;
use crate::store::{Grants, Installed, Offered, Rules, Store};

use super::{Error, Service, code_source};

/// A load whose question to the user was not answered yet.
pub(super) struct Asked {
    /// The digest of the component.
    digest: Digest,
    status: LoadStatus,
}

impl Service {
    /// Fetches, verifies, describes and installs a component, offers its tools, and
    /// grants what the user agrees to. Dropping the future leaves nothing half-done.
    ///
    /// # Errors
    ///
    /// The error of the stage that failed; the previously installed version then
    /// stays in place.
    pub async fn load(
        self: &Arc<Self>,
        request: LoadRequest,
        progress: &dyn Progress,
        consent: &dyn Consent,
    ) -> Result<LoadOutcome, Error> {
        let started = Instant::now();
        let id = request.id()?;
        let lock = self.installer.lock(&id).await?;
        // Boxed, because this future and those of its callers are large.
        let staged = Box::pin(self.installer.stage(&lock, &request, progress)).await?;
        let mut loaded = self.place(staged, request.compile, progress).await?;
        // Ask for consent after releasing the component's lock.
        drop(lock);
        let settlement = Settlement {
            metadata: &loaded.metadata,
            status: loaded.status,
            choice: request.policy,
            origin: request.origin,
            consent,
        };
        let settled = self.settle(settlement).await?;
        loaded.status = self.status(&loaded, settled.answer);
        Ok(loaded.outcome(settled, started))
    }

    /// The status to report. An MCP client that brings the user's answer repeats the
    /// load; for the user both are one load, whose status is that of the first.
    fn status(&self, loaded: &Loaded, answer: Option<Answer>) -> LoadStatus {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let id = &loaded.metadata.component_id;
        let digest = loaded.metadata.digests.component;
        let first = asked.remove(id).filter(|first| first.digest == digest);
        let status = match (loaded.status, first) {
            (LoadStatus::AlreadyLoaded, Some(first)) => first.status,
            (status, _) => status,
        };
        if answer == Some(Answer::Later) {
            asked.insert(id.clone(), Asked { digest, status });
        }
        status
    }

    /// Compiles a staged component if wanted, installs it, and offers its tools.
    pub(super) async fn place(
        &self,
        staged: Staged,
        compile: Compile,
        progress: &dyn Progress,
    ) -> Result<Loaded, Error> {
        let installer = &self.installer;
        match staged {
            Staged::Unchanged(same) => {
                let code = code_source(&same.installed);
                let compile_ms = installer.compile(code, compile, progress).await?;
                let metadata = &same.installed.metadata;
                let offered = self.toolbox.names_of(&metadata.component_id);
                let tool_names = if offered.is_empty() {
                    self.offer(&same.installed, compile).await?
                } else {
                    offered
                };
                Ok(Loaded {
                    status: LoadStatus::AlreadyLoaded,
                    tool_names,
                    transfer: same.transfer,
                    compile_ms,
                    metadata: same.installed.metadata,
                })
            }
            Staged::Changed(candidate) => {
                let code = candidate.code();
                let compile_ms = installer.compile(code, compile, progress).await?;
                let part = Part::Install {
                    candidate,
                    grants: Grants::Kept,
                    rules: Rules::Kept,
                };
                let committed = installer.commit(vec![part]).await?.pop();
                let committed =
                    committed.unwrap_or_else(|| unreachable!("what was installed is returned"));
                let tool_names = self.offer(&committed.installed, compile).await?;
                let metadata = committed.installed.metadata;
                Ok(Loaded {
                    status: committed.status,
                    tool_names,
                    transfer: metadata.receipt.clone(),
                    compile_ms,
                    metadata,
                })
            }
        }
    }

    /// Settles the grants; the next call uses them.
    pub(super) async fn settle(&self, settlement: Settlement<'_>) -> Result<Settled, Error> {
        let metadata = settlement.metadata;
        let settled = self.installer.settle(settlement).await?;
        self.sandboxes.forget(&metadata.component_id);
        self.follow_reach(metadata).await?;
        Ok(settled)
    }

    /// Offers an installed component's tools, and returns their names.
    pub(super) async fn offer(
        &self,
        installed: &Installed,
        compile: Compile,
    ) -> Result<Vec<String>, Error> {
        let metadata = installed.metadata.clone();
        let look = move |store: &Store| (store.offered(&metadata), metadata);
        let (offered, metadata) = self.disk.run(look).await?;
        let program = self.runtime.program(code_source(installed));
        if compile == Compile::Background {
            program.warm();
        }
        self.lock_programs()
            .insert(metadata.component_id.clone(), program);
        self.follow_reach(&installed.metadata).await?;
        Ok(self.list_tools(&metadata.component_id, offered))
    }

    /// Adds a component's tools to the tool list, and warns about rules that cannot be applied.
    pub(super) fn list_tools(&self, id: &ComponentId, offered: Offered) -> Vec<String> {
        for fault in &offered.faults {
            tracing::warn!("rules for the tools of `{id}`: {fault}");
        }
        self.toolbox.insert(id, offered)
    }
}
