use clap::Args;
use serde::Serialize;

use crate::service::{ComponentSummary, Health, Uncallable};

use super::output::{self, Present};
use super::table::{Cell, grid, listed, pairs, size, time};
use super::{Failure, Global, Opening, block_on};

/// Most functions that are no tools and are named in one line.
const NAMED: usize = 5;

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

/// How much of each component is shown.
enum Length {
    /// One line.
    Line,
    /// Everything.
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
            Length::Line => {
                let headers = ["ID", "TOOLS", "SIZE", "TRUST", "SOURCE"];
                let table = grid(&headers, components.clone().map(row).collect());
                let notes: Vec<_> = components.filter_map(note).collect();
                match notes.is_empty() {
                    true => table,
                    false => format!("{table}\n\n{}", notes.join("\n")),
                }
            }
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

/// The functions of a component that cannot be tools.
fn note(component: &ComponentSummary) -> Option<String> {
    let Health::Ok { not_callable, .. } = &component.health else {
        return None;
    };
    let names: Vec<_> = not_callable.iter().map(|one| &*one.name).collect();
    let (named, more) = names.split_at(names.len().min(NAMED));
    let more = match more.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| {
        format!(
            "note: no tools of `{}`: {}{more}; `wassette list --long` says why",
            component.id,
            named.join(", ")
        )
    })
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
