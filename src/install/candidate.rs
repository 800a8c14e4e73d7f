//! Verified, staged components, and the commit that installs them.

use std::sync::Arc;
use std::time::Instant;

use crate::fetch::{Progress, Step};
use crate::runtime::{CodeSource, Force};
use crate::store::{Change, Grants, Installed, Metadata, Prepared, Rules, Store};

use super::outcome::elapsed_ms;
use super::{Compile, Error, Installer, LoadStatus};

/// A version that is verified and staged, but not installed yet.
pub struct Candidate {
    pub(super) prepared: Prepared,
    /// The installed version that it replaces.
    pub(super) before: Option<Installed>,
}

/// One component's part of a commit.
#[allow(clippy::large_enum_variant, reason = "most are candidates")]
pub enum Part {
    Install {
        candidate: Candidate,
        grants: Grants,
        rules: Rules,
    },
    /// A change other than installing a version.
    Change(Change),
}

/// A candidate that was installed.
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
    /// Makes all changes or none, and returns the installed components in this order. The caller
    /// holds the locks of the components, each of which occurs once.
    ///
    /// # Errors
    ///
    /// When an id belongs to another source by now, or the disk fails; nothing is then changed.
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

    /// Compiles if requested, and returns the duration in milliseconds.
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
