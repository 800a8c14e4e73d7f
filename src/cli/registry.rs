use clap::{Args, Subcommand};
use serde::Serialize;

use crate::catalog::CatalogEntry;

use super::output::{self, Present};
use super::table::{Cell, grid};
use super::{Failure, Global, Opening, Root};

/// Find known components
#[derive(Args)]
pub struct Registry {
    #[command(subcommand)]
    command: RegistryCommand,
}

#[derive(Subcommand)]
enum RegistryCommand {
    /// Show every known component
    List,
    /// Show the components in whose name, description or URI every term occurs
    Search {
        #[arg(required = true)]
        terms: Vec<String>,
    },
}

#[derive(Serialize)]
struct Found {
    components: Vec<CatalogEntry>,
}

impl Registry {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let terms = match self.command {
            RegistryCommand::List => Vec::new(),
            RegistryCommand::Search { terms } => terms,
        };
        let opening = Opening {
            root: Root::MayBeNew,
            ..Opening::default()
        };
        let components = global.open(opening)?.search(&terms);
        output::print(&Found { components }, global.output)?;
        Ok(())
    }
}

impl Present for Found {
    fn table(&self) -> String {
        if self.components.is_empty() {
            return "No known component matches; `wassette registry list` shows all".into();
        }
        let rows = self.components.iter().map(|entry| {
            vec![
                entry.name.clone().into(),
                Cell::prose(&entry.description),
                entry.uri.clone().into(),
            ]
        });
        grid(&["NAME", "DESCRIPTION", "URI"], rows.collect())
    }
}
