use clap::Args;
use serde::Serialize;

use crate::service::{ComponentSummary, Health};

use super::output::{self, Present, grid, listed, size};
use super::{Failure, Global, Opening, block_on};

/// Show the installed components
#[derive(Args)]
pub struct List {
    /// Show digests, native code and last calls instead of tools; `-o json` has all of it
    #[arg(short, long)]
    long: bool,
}

#[derive(Serialize)]
struct Listing {
    components: Vec<ComponentSummary>,
    #[serde(skip)]
    columns: Columns,
}

/// What a table shows of each component.
enum Columns {
    Tools,
    State,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let components = block_on(async { Ok(service.list().await?) })?;
        let columns = if self.long {
            Columns::State
        } else {
            Columns::Tools
        };
        let listing = Listing {
            components,
            columns,
        };
        output::print(&listing, global.output);
        Ok(())
    }
}

impl Present for Listing {
    fn table(&self) -> String {
        if self.components.is_empty() {
            return "No components are installed; `wassette load --uri …` installs one".into();
        }
        let components = self.components.iter();
        match self.columns {
            Columns::Tools => grid(
                &["ID", "TOOLS", "SIZE", "TRUST", "SOURCE"],
                components.map(row).collect(),
            ),
            Columns::State => grid(
                &["ID", "DIGEST", "SIZE", "COMPILED", "LAST USED", "TRUST"],
                components.map(long_row).collect(),
            ),
        }
    }
}

fn long_row(component: &ComponentSummary) -> Vec<String> {
    let id = component.id.to_string();
    match &component.health {
        Health::Ok {
            digests,
            size: bytes,
            trust,
            compiled,
            last_used,
            ..
        } => vec![
            id,
            digests.component.to_string(),
            size(*bytes),
            if *compiled { "yes" } else { "no" }.into(),
            last_used.map_or_else(
                || "never".into(),
                |time| time.strftime("%F %H:%M").to_string(),
            ),
            trust.to_string(),
        ],
        Health::Damaged { reason } => {
            let blank = String::new;
            vec![
                id,
                reason.clone(),
                blank(),
                blank(),
                blank(),
                "damaged".into(),
            ]
        }
    }
}

fn row(component: &ComponentSummary) -> Vec<String> {
    let id = component.id.to_string();
    match &component.health {
        Health::Ok {
            source,
            size: bytes,
            trust,
            tool_names,
            ..
        } => vec![
            id,
            listed(tool_names),
            size(*bytes),
            trust.to_string(),
            source.to_string(),
        ],
        Health::Damaged { reason } => {
            vec![id, "-".into(), "-".into(), "damaged".into(), reason.clone()]
        }
    }
}
