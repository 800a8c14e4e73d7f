//! What is verified and laid out, and putting it in place.

use std::sync::Arc;
use std::time::Instant;

use crate::fetch::{Progress, Step};
use crate::runtime::{CodeSource, Force};
use crate::store::{Change, Grants, Installed, Metadata, Prepared, Rules, Store};

use super::outcome::elapsed_ms;
use super::{Compile, Error, Installer, LoadStatus};

/// A version that is verified and laid out, and not in place yet.
pub struct Candidate {
    pub(super) prepared: Prepared,
    /// What it would replace.
    pub(super) before: Option<Installed>,
}

/// What a commit does to one component.
#[allow(clippy::large_enum_variant, reason = "most are candidates")]
pub enum Part {
    Install {
        candidate: Candidate,
        grants: Grants,
        rules: Rules,
    },
    /// Something else than installing a version.
    Change(Change),
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
    /// Does all of this, or nothing, and returns what was installed, in this
    /// order. The caller holds the locks of the components, each of which is
    /// named once.
    ///
    /// # Errors
    ///
    /// When an id belongs to another source by now, or the disk refuses;
    /// everything is then as it was.
    pub async fn commit(&self, parts: Vec<Part>) -> Result<Vec<Committed>, Error> {
        let mut statuses = Vec::new();
        let mut changes = Vec::new();
        for part in parts {
            changes.push(match part {
                Part::Install {
                    candidate,
                    grants,
                    rules,
                } => {
                    statuses.push(match candidate.before {
                        Some(_) => LoadStatus::Replaced,
                        None => LoadStatus::New,
                    });
                    Change::Install {
                        prepared: candidate.prepared,
                        grants,
                        rules,
                    }
                }
                Part::Change(change) => change,
            });
        }
        let work = move |store: &Store| store.change_all(changes);
        let installed = self.disk.run(work).await??;
        let committed = installed.into_iter().zip(statuses);
        Ok(committed
            .map(|(installed, status)| Committed { installed, status })
            .collect())
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
