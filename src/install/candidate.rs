//! What is verified and laid out, and putting it in place.

use std::sync::Arc;
use std::time::Instant;

use crate::fetch::{Progress, Step};
use crate::runtime::{CodeSource, Force};
use crate::store::{Installed, Metadata, Prepared};

use super::outcome::elapsed_ms;
use super::{Compile, Error, Installer, LoadStatus};

/// A version that is verified and laid out, and not in place yet.
pub struct Candidate {
    pub(super) prepared: Prepared,
    /// What it would replace.
    pub(super) before: Option<Installed>,
}

/// A candidate that is in place.
pub struct Committed {
    pub installed: Installed,
    pub status: LoadStatus,
}

impl Candidate {
    pub fn metadata(&self) -> &Metadata {
        &self.prepared.metadata
    }

    pub fn code(&self) -> CodeSource {
        CodeSource {
            wasm: self.prepared.files.wasm.clone(),
            digest: self.prepared.metadata.digests.component,
            cwasm: self.prepared.files.cwasm.clone(),
        }
    }
}

impl Installer {
    /// Puts a candidate in place. The caller holds the component's lock.
    ///
    /// # Errors
    ///
    /// When the id belongs to another source by now, or the disk refuses; what
    /// was installed before is then still in place.
    pub async fn commit(&self, candidate: Candidate) -> Result<Committed, Error> {
        let Candidate { prepared, before } = candidate;
        let installed = self.disk.run(|store| store.install(prepared)).await??;
        Ok(Committed {
            installed,
            status: match before {
                Some(_) => LoadStatus::Replaced,
                None => LoadStatus::New,
            },
        })
    }

    /// Compiles where that is wanted, and says how many milliseconds it took.
    ///
    /// # Errors
    ///
    /// When the code cannot be compiled.
    pub async fn compile(
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
}
