use clap::Args;

use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::reference::ComponentId;
use crate::service::{Review, UpdateStatus, Updated, Updates};

use super::authorities::AuthorityArgs;
use super::changes;
use super::output::{self, Present};
use super::progress::Bar;
use super::{Failure, Global, Opening, block_on, signers};

/// Replace components by what their sources have now
///
/// What a new version changes for agents and users is shown first. One that
/// changes tools, imports, permissions or trust is put in place with --accept
/// only; the digest that was shown makes sure that it is that version and not
/// one that came since. What is granted stays so; a new request grants nothing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette update --all --dry-run
  wassette update weather
  wassette update weather --accept=sha256:9f2c…
  wassette rollback weather")]
pub struct Update {
    /// Id of the component
    #[arg(required_unless_present = "all")]
    id: Option<ComponentId>,

    /// Every component that has another version at its source
    #[arg(long, conflicts_with = "id")]
    all: bool,

    /// Show what would change, and change nothing
    #[arg(long, conflicts_with = "accept")]
    dry_run: bool,

    /// Take new versions whatever they change, or only the one of this digest
    #[arg(long, value_name = "DIGEST", num_args = 0..=1, require_equals = true)]
    accept: Option<Option<Digest>>,

    /// Accept a version with another signer than the installed one, or unsigned
    #[arg(long)]
    accept_signer: bool,

    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Update {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let review = match (self.dry_run, self.accept) {
            (true, _) => Review::DryRun,
            (_, Some(Some(digest))) => Review::AcceptedAs(digest),
            (_, Some(None)) => Review::Accepted,
            (_, None) => Review::CodeOnly,
        };
        let how = (review, signers::change(self.accept_signer));
        let service = global.open(Opening {
            ca: self.authorities.ca.clone(),
            ..Opening::default()
        })?;
        service.sweep();
        let bar = Bar::new();
        let updates = block_on(async {
            match &self.id {
                Some(id) => Ok(Updates {
                    components: vec![service.update(id, how, &bar).await?],
                    failures: Vec::new(),
                }),
                None => Ok(service.update_all(how, &bar).await?),
            }
        })?;
        drop(bar);
        output::print(&updates, global.output)?;
        end(&updates)
    }
}

/// Fails if an update could not be made or was not accepted.
fn end(updates: &Updates) -> Result<(), Failure> {
    if let Some(first) = updates.failures.first() {
        return Err(NotUpdated {
            failed: updates.failures.len(),
            class: first.class,
        }
        .into());
    }
    let components = updates.components.iter();
    let held = components.filter(|one| one.status == UpdateStatus::Held);
    let held: Vec<_> = held
        .map(|one| (one.component_id.clone(), one.now.whole()))
        .collect();
    match held.is_empty() {
        true => Ok(()),
        false => Err(NotAccepted { held }.into()),
    }
}

impl Present for Updates {
    fn table(&self) -> String {
        let mut lines: Vec<String> = self.components.iter().map(told).collect();
        for failed in &self.failures {
            lines.push(format!("{}: {}", failed.component_id, failed.error.message));
        }
        if lines.is_empty() {
            return "Everything is up to date".into();
        }
        lines.join("\n")
    }
}

fn told(updated: &Updated) -> String {
    let id = &updated.component_id;
    let status = match updated.status {
        UpdateStatus::UpToDate => return format!("{id}: up to date"),
        UpdateStatus::Available => "another version is available",
        UpdateStatus::Held => "another version needs `--accept`",
        UpdateStatus::Updated => "updated",
    };
    let mut text = format!("{id}: {status}\n{}", changes::table(&updated.changes));
    if updated.status != UpdateStatus::Updated {
        text.push_str(&format!("\n  digest {}", updated.now.whole()));
    }
    for permission in &updated.not_granted {
        text.push_str(&format!("\n  not granted: {}", permission.description));
    }
    text
}

/// New versions that change more than code and were not accepted.
#[derive(Debug, thiserror::Error)]
#[error("{} {} `--accept`", held.len(), if held.len() == 1 { "update needs" } else { "updates need" })]
struct NotAccepted {
    held: Vec<(ComponentId, Digest)>,
}

impl Diagnose for NotAccepted {
    fn code(&self) -> &'static str {
        "update-not-accepted"
    }

    fn class(&self) -> Class {
        Class::Verification
    }

    fn hint(&self) -> Option<String> {
        Some(match &*self.held {
            [(id, digest)] => format!(
                "look at the changes; `wassette update {id} --accept={digest}` takes this version"
            ),
            _ => {
                "look at the changes; `wassette update ID --accept=DIGEST` takes one version".into()
            }
        })
    }
}

/// Some components could not be updated.
#[derive(Debug, thiserror::Error)]
#[error("Components that could not be updated, and stay as they are: {failed}")]
struct NotUpdated {
    failed: usize,
    class: Class,
}

impl Diagnose for NotUpdated {
    fn code(&self) -> &'static str {
        "update-failed"
    }

    fn class(&self) -> Class {
        self.class
    }

    fn hint(&self) -> Option<String> {
        Some("`wassette update ID` says more of one".into())
    }
}
