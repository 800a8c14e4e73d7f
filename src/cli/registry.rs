use clap::{Args, Subcommand};
use serde::Serialize;

use crate::catalog::CatalogEntry;

use super::output::{self, Present, grid};
use super::{Failure, Global, Opening};

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
        let components = global.open(Opening::default())?.search(&terms);
        output::print(&Found { components }, global.output);
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
                entry.name.clone(),
                entry.description.clone(),
                entry.uri.clone(),
            ]
        });
        grid(&["NAME", "DESCRIPTION", "URI"], rows.collect())
    }
}
