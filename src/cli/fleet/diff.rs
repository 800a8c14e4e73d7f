use clap::Args;

use crate::cli::authorities::AuthorityArgs;
use crate::cli::output;
use crate::cli::{Failure, Global, Root};
use crate::error::{Class, Diagnose};

use super::apply::changes_anything;
use super::opened::{Asked, Opened, surplus};
use super::plan::{Outcome, Status};
use super::progress::Bars;
use super::source::{ManifestArgs, Strictness};

/// Show how the installed components differ from a manifest
///
/// The same as `apply --dry-run`: new versions are fetched and verified to tell
/// what they change, and nothing is installed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette diff -f fleet.yaml
  wassette diff -f fleet.yaml --prune --exit-code   # for a job that looks for drift")]
pub struct Diff {
    #[command(flatten)]
    manifest: ManifestArgs,

    /// Show also what `apply --prune` would remove
    #[arg(long)]
    prune: bool,

    /// Fail with exit code 1 when there is a difference
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Diff {
    pub(in crate::cli) fn run(self, global: &Global) -> Result<(), Failure> {
        let asked = Asked {
            manifest: &self.manifest,
            authorities: &self.authorities,
            surplus: surplus(self.prune),
            strictness: Strictness::MayGrow,
            root: Root::Exists,
        };
        let outcome = asked.run(global, async |opened| {
            let Opened { service, order, .. } = opened;
            let proposal = service.propose(&order, &Bars::new()).await?;
            Ok(Outcome {
                status: Status::Planned,
                plan: proposal.plan,
                warnings: Vec::new(),
                lock_written: None,
            })
        })?;
        output::print(&outcome, global.output)?;
        match self.exit_code && changes_anything(&outcome) {
            true => Err(Differs.into()),
            false => Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("The installed components differ from the manifest")]
struct Differs;

impl Diagnose for Differs {
    fn code(&self) -> &'static str {
        "manifest-differs"
    }

    fn class(&self) -> Class {
        Class::Other
    }

    fn hint(&self) -> Option<String> {
        Some("`wassette apply` makes it so".into())
    }
}
