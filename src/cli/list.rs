use clap::Args;
use serde::Serialize;

use crate::service::{ComponentSummary, Health};

use super::output::{self, Present, grid, listed, size};
use super::{Failure, Global};

/// Show the installed components
#[derive(Args)]
pub struct List {}

#[derive(Serialize)]
struct Listing {
    components: Vec<ComponentSummary>,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let components = global.open(None)?.list()?;
        output::print(&Listing { components }, global.output);
        Ok(())
    }
}

impl Present for Listing {
    fn table(&self) -> String {
        if self.components.is_empty() {
            return "No components are installed; `wassette load --uri …` installs one".into();
        }
        let rows = self.components.iter().map(row).collect();
        grid(&["ID", "TOOLS", "SIZE", "TRUST", "SOURCE"], rows)
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
