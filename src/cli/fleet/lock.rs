use clap::Args;
use serde::Serialize;

use crate::cli::authorities::AuthorityArgs;
use crate::cli::changes;
use crate::cli::output::{self, Present};
use crate::cli::{Failure, Global, Opening, block_on};
use crate::digest::Digest;
use crate::install::{Changes, Wanted, content_of};
use crate::manifest::{self, Entry, Locked};
use crate::reference::ComponentId;

use super::progress::Bars;
use super::source::{Loaded, ManifestArgs, NeedsFile, NoEntry, wanted};

/// Write the lock of a manifest, or move it to newer versions
///
/// Resolves what the lock does not have, and takes over what changed in the
/// manifest. What has the same `uri` as before keeps its digest, unless
/// --upgrade moves it. Nothing is installed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette lock -f fleet.yaml
  wassette lock -f fleet.yaml --upgrade --dry-run
  wassette lock -f fleet.yaml --upgrade weather github")]
pub struct Lock {
    #[command(flatten)]
    manifest: ManifestArgs,

    /// Take what the sources have now: of these components, or of all
    #[arg(long, value_name = "NAME", num_args = 0..)]
    upgrade: Option<Vec<ComponentId>>,

    /// Show what would change, and write nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    authorities: AuthorityArgs,
}

/// The outcome of `lock`.
#[derive(Serialize)]
struct Report {
    components: Vec<Row>,
    /// Whether the file was written.
    written: bool,
    path: String,
}

#[derive(Serialize)]
struct Row {
    component_id: ComponentId,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Digest>,
    /// The differences, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
    /// The differences from the installed version, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Changes>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Added,
    /// It moved to another digest.
    Moved,
    /// The manifest's entry changed; the digest is the same.
    Renewed,
    Unchanged,
    Removed,
}

impl Lock {
    pub(in crate::cli) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening {
            ca: self.authorities.ca.clone(),
            ..Opening::default()
        })?;
        let report = block_on(async {
            let loaded = self.manifest.load(&service).await?;
            let Some(path) = &loaded.lock_path else {
                let option = "wassette lock";
                return Err(NeedsFile { option }.into());
            };
            for name in self.upgrade.iter().flatten() {
                if !loaded
                    .manifest
                    .entries
                    .iter()
                    .any(|entry| entry.id == *name)
                {
                    return Err(NoEntry { name: name.clone() }.into());
                }
            }
            let mut order = loaded.order();
            let entries = loaded.manifest.entries.iter();
            order.wanted = entries
                .filter_map(|entry| self.asked(&loaded, entry))
                .collect();
            let proposal = service.propose(&order, &Bars::new()).await?;
            let mut components = Vec::new();
            let mut locked = Vec::new();
            for entry in &loaded.manifest.entries {
                let before = loaded.lock.as_ref().and_then(|lock| lock.get(&entry.id));
                let found = &proposal.metadata;
                let found = found.iter().find(|one| one.component_id == entry.id);
                let planned = &proposal.plan.components;
                let planned = planned.iter().find(|one| one.component_id == entry.id);
                let now = match (found, before) {
                    (Some(metadata), _) => Locked::new(entry, &content_of(metadata, &entry.tools)),
                    (None, Some(before)) => before.renewed(entry),
                    // An entry that is not kept was proposed.
                    (None, None) => continue,
                };
                let differences = match (before, found) {
                    (Some(before), Some(metadata)) => {
                        before.differences(&content_of(metadata, &entry.tools))
                    }
                    _ => Vec::new(),
                };
                components.push(Row {
                    component_id: entry.id.clone(),
                    status: Status::of(before, &now),
                    before: before.map(|before| before.digest),
                    now: Some(now.digest),
                    differences,
                    changes: planned.and_then(|planned| planned.changes.clone()),
                });
                locked.push(now);
            }
            let standing = loaded.lock.as_ref();
            let standing = standing.map(|lock| lock.compare(&loaded.manifest.entries));
            for surplus in standing.into_iter().flat_map(|standing| standing.surplus) {
                components.push(Row {
                    before: loaded
                        .lock
                        .as_ref()
                        .and_then(|lock| Some(lock.get(&surplus)?.digest)),
                    component_id: surplus,
                    status: Status::Removed,
                    now: None,
                    differences: Vec::new(),
                    changes: None,
                });
            }
            let lock = manifest::Lock::new(locked);
            Ok(Report {
                components,
                written: !self.dry_run && loaded.write_lock(&lock)?,
                path: path.display().to_string(),
            })
        })?;
        output::print(&report, global.output)?;
        Ok(())
    }

    /// What to resolve in order to lock an entry; `None` if nothing.
    fn asked(&self, loaded: &Loaded, entry: &Entry) -> Option<Wanted> {
        let wanted = wanted(entry, None);
        match self.kept(loaded, entry) {
            None => Some(wanted),
            Some(locked) if locked.tool_rules == entry.written.tools => None,
            // Other rules give the tools of the same content other definitions.
            Some(locked) => Some(Wanted {
                digest: Some(locked.digest),
                ..wanted
            }),
        }
    }

    /// The locked record of an entry that keeps its digest.
    fn kept<'a>(&self, loaded: &'a Loaded, entry: &Entry) -> Option<&'a Locked> {
        let moves = match &self.upgrade {
            None => false,
            Some(names) => names.is_empty() || names.contains(&entry.id),
        };
        let locked = loaded.lock.as_ref()?.get(&entry.id)?;
        let same_digest = entry.digest.is_none_or(|digest| digest == locked.digest);
        (!moves && locked.uri == entry.written.uri && same_digest).then_some(locked)
    }
}

impl Status {
    fn of(before: Option<&Locked>, now: &Locked) -> Self {
        match before {
            None => Status::Added,
            Some(before) if before.digest != now.digest => Status::Moved,
            Some(before) if before != now => Status::Renewed,
            Some(_) => Status::Unchanged,
        }
    }
}

impl Present for Report {
    fn table(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for row in &self.components {
            let id = &row.component_id;
            let digest = |digest: &Option<Digest>| match digest {
                Some(digest) => digest.short(),
                None => "nothing".into(),
            };
            lines.push(match row.status {
                Status::Unchanged => continue,
                Status::Added => format!("+ {id} {}", digest(&row.now)),
                Status::Removed => format!("- {id} {}", digest(&row.before)),
                Status::Renewed => format!("~ {id} as the manifest has it now"),
                Status::Moved => {
                    format!("~ {id} {} -> {}", digest(&row.before), digest(&row.now))
                }
            });
            match &row.changes {
                Some(changes) if row.status == Status::Moved => {
                    lines.push(changes::table(changes));
                }
                _ => lines.extend(row.differences.iter().map(|line| format!("  {line}"))),
            }
        }
        if lines.is_empty() {
            lines.push("Nothing moved".into());
        }
        lines.push(match self.written {
            true => format!("Wrote {}.", self.path),
            false => "The lock stays as it is.".into(),
        });
        lines.join("\n")
    }
}
