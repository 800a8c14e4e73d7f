use std::io::IsTerminal;
use std::num::NonZeroUsize;

use clap::Args;

use crate::cli::authorities::AuthorityArgs;
use crate::cli::consent::confirmed;
use crate::cli::output::{self, Format};
use crate::cli::{Failure, Global, Root};
use crate::error::{Class, Diagnose};
use crate::install::{Action, Check, Compile, Failures, content_digest};
use crate::reference::ComponentId;

use super::opened::{Asked, Opened, surplus};
use super::plan::{Outcome, Status, text};
use super::progress::Bars;
use super::source::{Loaded, ManifestArgs, Strictness};

/// Install what a manifest lists, with the permissions it gives
///
/// Every component is fetched and verified before the first becomes visible;
/// then all are put in place, or none. What is installed already stays. The lock
/// beside the manifest holds every component to what it was when it was locked.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette apply -f fleet.yaml --dry-run
  wassette apply -f fleet.yaml
  wassette apply -f fleet.yaml --locked --prune
  wassette apply -f https://example.com/fleet.yaml#sha256=9f2c...
  wassette export | wassette --root /srv/wassette apply -f -")]
pub struct Apply {
    #[command(flatten)]
    manifest: ManifestArgs,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Hash what is installed too, and warn of entries that have no digest
    #[arg(long)]
    verify_digests: bool,

    /// Refuse entries that have no digest, in the manifest or in the lock
    #[arg(long)]
    require_digests: bool,

    /// Remove what an earlier apply of this manifest installed and it no longer lists
    #[arg(long)]
    prune: bool,

    /// Fail unless the lock is there, fits the manifest, and need not change
    #[arg(long)]
    locked: bool,

    /// Components that are fetched at once
    #[arg(long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,

    /// Install what can be when something else cannot
    #[arg(long)]
    continue_on_error: bool,

    /// Compile before anything becomes visible, rather than at the first call
    #[arg(long)]
    compile: bool,

    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Apply {
    pub(in crate::cli) fn run(self, global: &Global) -> Result<(), Failure> {
        let asked = Asked {
            manifest: &self.manifest,
            authorities: &self.authorities,
            surplus: surplus(self.prune),
            strictness: match self.locked {
                true => Strictness::Exact,
                false => Strictness::MayGrow,
            },
            root: Root::MayBeNew,
        };
        let outcome = asked.run(global, async |opened| {
            let Opened {
                service,
                loaded,
                mut order,
            } = opened;
            if self.require_digests {
                require_digests(&loaded)?;
            }
            order.jobs = self.jobs.get();
            if self.verify_digests {
                order.check = Check::Hash;
            }
            if self.continue_on_error {
                order.failures = Failures::Continue;
            }
            if self.compile {
                order.compile = Compile::Wait;
            }
            if !self.dry_run {
                service.sweep();
            }
            let bars = Bars::new();
            let proposal = service.propose(&order, &bars).await?;
            let mut outcome = Outcome {
                status: Status::Planned,
                plan: proposal.plan.clone(),
                warnings: Vec::new(),
                lock_written: None,
            };
            if self.verify_digests {
                outcome.warnings = unpinned(&loaded, &proposal.metadata);
            }
            if self.dry_run {
                return Ok(outcome);
            }
            if outcome.plan.is_done() {
                outcome.status = Status::Unchanged;
            } else {
                if global.output == Format::Table {
                    output::write(&format!("{}\n\n", shown(&text(&outcome.plan))))?;
                }
                if !loaded.pinned {
                    confirm(&self.manifest.file).await?;
                }
                outcome.status = Status::Applied;
            }
            let lock = loaded.lock_of(&proposal.metadata);
            service.apply(proposal, &bars).await?;
            if !self.locked && loaded.write_lock(&lock)? {
                outcome.lock_written = loaded
                    .lock_path
                    .as_deref()
                    .map(|path| path.display().to_string());
            }
            Ok(outcome)
        })?;
        output::print(&outcome, global.output)?;
        if global.output == Format::Table {
            for warning in &outcome.warnings {
                output::warn(warning);
            }
        }
        end(&outcome)
    }
}

fn shown(text: &str) -> String {
    crate::cli::screen::Stream::Stdout.fit(text).into_owned()
}

/// Succeeds if no entry failed.
fn end(outcome: &Outcome) -> Result<(), Failure> {
    let failures = &outcome.plan.failures;
    match failures.is_empty() {
        true => Ok(()),
        false => Err(NotApplied {
            told: failures
                .iter()
                .map(|one| format!("`{}`: {}", one.component_id, one.error.message))
                .collect(),
        }
        .into()),
    }
}

/// The entries that have a digest neither in the manifest nor in the lock, each with the line that
/// would add it.
fn unpinned(loaded: &Loaded, found: &[crate::store::Metadata]) -> Vec<String> {
    let entries = loaded.manifest.entries.iter();
    entries
        .filter(|entry| is_unpinned(loaded, &entry.id))
        .filter_map(|entry| {
            let metadata = found.iter().find(|one| one.component_id == entry.id)?;
            Some(format!(
                "`{}` ({}) has no digest to be held to; to give it one, add the line\n    digest: {}",
                entry.id,
                entry.written.place,
                content_digest(metadata)
            ))
        })
        .collect()
}

fn is_unpinned(loaded: &Loaded, id: &ComponentId) -> bool {
    let entries = &loaded.manifest.entries;
    let entry = entries.iter().find(|entry| entry.id == *id);
    let locked = loaded.lock.as_ref().and_then(|lock| lock.get(id));
    entry.is_some_and(|entry| entry.digest.is_none() && !entry.reference.is_pinned())
        && locked.is_none()
}

fn require_digests(loaded: &Loaded) -> Result<(), DigestsMissing> {
    let entries = loaded.manifest.entries.iter();
    let without: Vec<String> = entries
        .filter(|entry| is_unpinned(loaded, &entry.id))
        .map(|entry| format!("`{}` ({})", entry.id, entry.written.place))
        .collect();
    match without.is_empty() {
        true => Ok(()),
        false => Err(DigestsMissing { without }),
    }
}

async fn confirm(address: &str) -> Result<(), NotPinned> {
    let refused = || NotPinned::of(address);
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(refused());
    }
    match confirmed("Nobody but the web server vouches for this manifest. Do all of this? [y/N] ")
        .await
    {
        true => Ok(()),
        false => Err(refused()),
    }
}

/// Entries without a digest.
#[derive(Debug, thiserror::Error)]
#[error("No digest is given for {}", without.join(", "))]
struct DigestsMissing {
    without: Vec<String>,
}

impl Diagnose for DigestsMissing {
    fn code(&self) -> &'static str {
        "digest-required"
    }

    fn class(&self) -> Class {
        Class::Verification
    }

    fn hint(&self) -> Option<String> {
        Some(
            "add `digest: sha256:…` to each, which `--dry-run --verify-digests` prints, or lock \
             them with `wassette lock`"
                .into(),
        )
    }
}

/// A manifest from the web that has no digest and that no person confirmed.
#[derive(Debug, thiserror::Error)]
#[error("The operator of the server can change the manifest at `{address}`")]
pub(super) struct NotPinned {
    address: String,
}

impl NotPinned {
    pub fn of(address: &str) -> Self {
        NotPinned {
            address: address.to_owned(),
        }
    }
}

impl Diagnose for NotPinned {
    fn code(&self) -> &'static str {
        "manifest-not-pinned"
    }

    fn class(&self) -> Class {
        Class::Verification
    }

    fn hint(&self) -> Option<String> {
        Some(
            "nothing was changed; add `#sha256=` and its digest to the address, or say yes on a \
             terminal"
                .into(),
        )
    }
}

/// Some entries failed; the others were applied.
#[derive(Debug, thiserror::Error)]
#[error("Components that could not be installed: {}", told.len())]
struct NotApplied {
    told: Vec<String>,
}

impl Diagnose for NotApplied {
    fn code(&self) -> &'static str {
        "apply-failed"
    }

    fn class(&self) -> Class {
        Class::Other
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let told = self.told.iter();
        told.map(|one| ("failed", one.clone())).collect()
    }
}

/// Whether anything would change.
pub(super) fn changes_anything(outcome: &Outcome) -> bool {
    let planned = outcome.plan.components.iter();
    planned.into_iter().any(|one| one.action != Action::Keep)
}
