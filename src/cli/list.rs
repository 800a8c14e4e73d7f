use clap::Args;
use serde::Serialize;

use crate::service::{ComponentSummary, Health, Uncallable};

use super::output::{self, Present};
use super::table::{Cell, grid, listed, pairs, size, time};
use super::{Failure, Global, Opening, block_on};

/// Show the installed components
#[derive(Args)]
pub struct List {
    /// Show all tools, digests, native code and last calls as well
    #[arg(short, long)]
    long: bool,
}

#[derive(Serialize)]
struct Listing {
    components: Vec<ComponentSummary>,
    #[serde(skip)]
    length: Length,
}

/// What is shown of each component.
enum Length {
    /// A line.
    Line,
    /// All there is.
    Whole,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let components = block_on(async { Ok(service.list().await?) })?;
        let length = match self.long {
            true => Length::Whole,
            false => Length::Line,
        };
        output::print(&Listing { components, length }, global.output)?;
        Ok(())
    }
}

impl Present for Listing {
    fn table(&self) -> String {
        if self.components.is_empty() {
            return "No components are installed; `wassette load SOURCE` installs one".into();
        }
        let components = self.components.iter();
        match self.length {
            Length::Line => grid(
                &["ID", "TOOLS", "SIZE", "TRUST", "SOURCE"],
                components.map(row).collect(),
            ),
            Length::Whole => components.map(whole).collect::<Vec<_>>().join("\n\n"),
        }
    }
}

fn row(component: &ComponentSummary) -> Vec<Cell> {
    let id = component.id.to_string().into();
    match &component.health {
        Health::Ok {
            source,
            size: bytes,
            trust,
            tool_names,
            ..
        } => vec![
            id,
            Cell::Names(tool_names.clone()),
            size(*bytes).into(),
            trust.to_string().into(),
            source.to_string().into(),
        ],
        Health::Damaged { reason } => vec![
            id,
            "-".into(),
            "-".into(),
            "damaged".into(),
            Cell::prose(reason),
        ],
    }
}

fn whole(component: &ComponentSummary) -> String {
    let mut rows = vec![("component", component.id.to_string())];
    match &component.health {
        Health::Ok {
            source,
            digests,
            size: bytes,
            trust,
            created_at,
            compiled,
            last_used,
            tool_names,
            not_callable,
        } => {
            rows.push(("tools", listed(tool_names)));
            if !not_callable.is_empty() {
                let told = |one: &Uncallable| format!("{}: {}", one.name, one.reason);
                let told: Vec<_> = not_callable.iter().map(told).collect();
                rows.push(("no tools", listed(&told)));
            }
            rows.extend([
                ("source", source.to_string()),
                ("digest", digests.component.to_string()),
                ("size", size(*bytes)),
                ("trust", trust.to_string()),
                ("compiled", if *compiled { "yes" } else { "no" }.into()),
                ("loaded", time(*created_at)),
                ("last used", last_used.map_or_else(|| "never".into(), time)),
            ]);
        }
        Health::Damaged { reason } => rows.push(("damaged", reason.clone())),
    }
    pairs(&rows)
}
