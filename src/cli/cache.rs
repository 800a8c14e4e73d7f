use std::time::Duration;

use clap::{Args, Subcommand};

use crate::error::{Class, Diagnose};
use crate::policy::{parse_bytes, parse_span};
use crate::reference::ComponentId;
use crate::service::{CacheListing, Clear, Cleared, Keep, Repair, VerifyReport};

use super::output::{self, Present};
use super::progress::Bar;
use super::table::{Cell, grid, size, time};
use super::{Failure, Global, Opening};

/// Look at, check and clear what is kept on disk
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette cache list
  wassette cache verify --repair
  wassette cache clear time --compiled
  wassette cache prune --max-size 1Gi --unused-for 30d")]
pub struct Cache {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Subcommand)]
enum CacheCommand {
    /// Show what each component takes, and when it was last called
    List,
    /// Remove files that can be rebuilt; never components, policies or secrets
    Clear {
        /// Only of this component
        id: Option<ComponentId>,
        /// Only compiled code
        #[arg(long)]
        compiled: bool,
        /// Clear only what interrupted downloads left
        #[arg(long, conflicts_with_all = ["compiled", "id"])]
        downloads: bool,
        /// Clear only what was fetched of catalogs, until `registry update`
        #[arg(long, conflicts_with_all = ["compiled", "downloads", "id"])]
        catalogs: bool,
    },
    /// Hash every byte again and compare every record with its component
    Verify {
        /// Only this component
        id: Option<ComponentId>,
        /// Rebuild what can be rebuilt, and move changed files to `quarantine/`
        #[arg(long)]
        repair: bool,
    },
    /// Remove compiled code and previous versions over these bounds, the longest unused first
    #[command(group = clap::ArgGroup::new("bounds").required(true).multiple(true))]
    Prune {
        /// Bytes to keep of them at most, such as `512Mi`, or `0`
        #[arg(long, value_name = "SIZE", value_parser = parse_bytes, group = "bounds")]
        max_size: Option<u64>,
        /// Keep components called, loaded or replaced within this time, such as `12h`, `30d` or `4w`
        #[arg(long, value_name = "TIME", value_parser = parse_span, group = "bounds")]
        unused_for: Option<Duration>,
    },
}

impl Cache {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        match self.command {
            CacheCommand::List => output::print(&service.cache_list()?, global.output)?,
            CacheCommand::Clear {
                id,
                compiled,
                downloads,
                catalogs,
            } => {
                let what = match (compiled, downloads, catalogs) {
                    (true, ..) => Clear::Compiled,
                    (_, true, _) => Clear::Downloads,
                    (.., true) => Clear::Catalogs,
                    _ => Clear::Everything,
                };
                output::print(&service.cache_clear(id.as_ref(), what)?, global.output)?;
            }
            CacheCommand::Verify { id, repair } => {
                let repair = if repair { Repair::Yes } else { Repair::No };
                let bar = Bar::new();
                let report = service.cache_verify(id.as_ref(), repair, &bar)?;
                drop(bar);
                output::print(&report, global.output)?;
                let faults = report.remaining();
                if faults > 0 {
                    return Err(Unsound { faults, repair }.into());
                }
            }
            CacheCommand::Prune {
                max_size,
                unused_for,
            } => {
                let keep = Keep {
                    max_size,
                    unused_for,
                };
                output::print(&service.cache_prune(keep)?, global.output)?;
            }
        }
        Ok(())
    }
}

/// `verify` found faults that it did not repair.
#[derive(Debug, thiserror::Error)]
#[error("{faults} of the files on disk are not as they were installed")]
struct Unsound {
    faults: usize,
    repair: Repair,
}

impl Diagnose for Unsound {
    fn code(&self) -> &'static str {
        "store-unsound"
    }

    fn class(&self) -> Class {
        Class::Verification
    }

    fn hint(&self) -> Option<String> {
        (self.repair == Repair::No)
            .then(|| "`wassette cache verify --repair` mends what it can".into())
    }
}

impl Present for CacheListing {
    fn table(&self) -> String {
        let rows = self.components.iter().map(|component| {
            [
                component.id.to_string(),
                size(component.component_bytes),
                component.compiled_bytes.map_or_else(|| "-".into(), size),
                component.previous_bytes.map_or_else(|| "-".into(), size),
                component.last_used.map_or_else(|| "never".into(), time),
            ]
            .map(Cell::Whole)
            .into()
        });
        let table = grid(
            &["ID", "COMPONENT", "COMPILED", "PREVIOUS", "LAST USED"],
            rows.collect(),
        );
        format!(
            "{table}\n\n{} in all, {} of it downloads and {} code of nothing installed",
            size(self.total_bytes),
            size(self.downloads_bytes),
            size(self.unused_bytes)
        )
    }
}

impl Present for Cleared {
    fn table(&self) -> String {
        let counts = [
            ("compiled code of components", self.compiled.len()),
            ("code of nothing installed", self.unused),
            ("previous versions", self.previous.len()),
            ("unfinished downloads", self.downloads),
            ("copies of catalogs", self.catalogs.unwrap_or_default()),
        ];
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> = counts.map(|(of, count)| format!("{of}: {count}")).collect();
        match counts.is_empty() {
            true => "There was nothing to remove".into(),
            false => format!("Freed {}; {}", size(self.freed_bytes), counts.join(", ")),
        }
    }
}

impl Present for VerifyReport {
    fn table(&self) -> String {
        let summary = format!(
            "Checked {} components, {}",
            self.components.len(),
            size(self.bytes)
        );
        let rows: Vec<_> = self
            .faults()
            .map(|fault| {
                let state = if fault.repaired { "repaired" } else { "fault" };
                vec![
                    state.into(),
                    fault.file.clone().into(),
                    Cell::prose(&fault.reason),
                ]
            })
            .collect();
        if rows.is_empty() {
            return format!("{summary}: all as installed");
        }
        format!("{}\n\n{summary}", grid(&["", "FILE", "REASON"], rows))
    }
}
