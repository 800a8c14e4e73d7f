use clap::{Args, Subcommand};
use serde::Serialize;

use crate::catalog::{Catalog, Match};
use crate::service::KnownComponent;

use super::output::{self, Present};
use super::table::{Cell, grid};
use super::validate::Validate;
use super::{Failure, Global, Opening, Root, block_on};

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
    /// Show the known components that match every term, the best matches first
    Search {
        /// Words of name, description or URI; slips of the pen are forgiven
        #[arg(required = true)]
        terms: Vec<String>,
        /// Take the terms as they are typed, and keep the order of the catalog
        #[arg(long)]
        exact: bool,
    },
    /// Show one known component
    Get {
        /// Its name in the catalog
        name: String,
    },
    Validate(Validate),
}

#[derive(Serialize)]
struct Found {
    components: Vec<KnownComponent>,
}

impl Registry {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let catalog = Catalog::bundled();
        let found = match self.command {
            RegistryCommand::List => catalog.entries().iter().collect(),
            RegistryCommand::Validate(validate) => return validate.run(global),
            RegistryCommand::Get { name } => vec![catalog.get(&name)?],
            RegistryCommand::Search { terms, exact } => {
                let how = if exact { Match::Exact } else { Match::Ranked };
                catalog.search(&terms, how)
            }
        };
        let opening = Opening {
            root: Root::MayBeNew,
            ..Opening::default()
        };
        let service = global.open(opening)?;
        let components = block_on(async { Ok(service.with_installed(found).await?) })?;
        output::print(&Found { components }, global.output)?;
        Ok(())
    }
}

impl Present for Found {
    fn table(&self) -> String {
        if self.components.is_empty() {
            return "No known component matches; `wassette registry list` shows all".into();
        }
        let rows = self.components.iter().map(|known| {
            let ids = known.installed.iter().map(ToString::to_string);
            let installed = match known.installed.is_empty() {
                true => "-".into(),
                false => Cell::Names(ids.collect()),
            };
            vec![
                known.entry.name.clone().into(),
                installed,
                Cell::prose(&known.entry.description),
                known.entry.uri.clone().into(),
            ]
        });
        grid(
            &["NAME", "INSTALLED AS", "DESCRIPTION", "URI"],
            rows.collect(),
        )
    }
}
