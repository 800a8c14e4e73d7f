use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::catalog::Match;
use crate::error::{Class, Diagnose};
use crate::reference::Shown;
use crate::service::{self, AddedCatalog, CatalogState, KnownComponent, Service};

use super::output::{self, Present};
use super::table::{Cell, grid};
use super::validate::Validate;
use super::{Failure, Global, Opening, Root, block_on, parse_reference};

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
        /// Words of name, description or URI; typing errors are tolerated
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
    /// Search another catalog too, and look names up in it
    Add {
        /// A file, an https:// address, or an artifact with the catalog as its one layer
        source: String,
    },
    /// Take a catalog away that was added
    Remove {
        /// Where it is from, as it was added
        source: String,
    },
    /// Fetch the catalogs anew that were added, and show them
    Update,
    Validate(Validate),
}

#[derive(Serialize)]
struct Catalogs {
    catalogs: Vec<AddedCatalog>,
}

#[derive(Serialize)]
struct Found {
    components: Vec<KnownComponent>,
}

impl Registry {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let catalog = service::catalog_of(&global.root()?)?;
        let found = match self.command {
            RegistryCommand::Add { source } => return add(&source, global),
            RegistryCommand::Remove { source } => return remove(&source, global),
            RegistryCommand::Update => return update(global),
            RegistryCommand::List => catalog.entries().iter().collect(),
            RegistryCommand::Validate(validate) => return validate.run(global),
            RegistryCommand::Get { name } => vec![catalog.get(&name)?],
            RegistryCommand::Search { terms, exact } => {
                let how = if exact { Match::Exact } else { Match::Ranked };
                catalog.search(&terms, how)
            }
        };
        let service = opened(global, Root::Exists)?;
        let components = block_on(async { Ok(service.with_installed(found).await?) })?;
        output::print(&Found { components }, global.output)?;
        Ok(())
    }
}

fn opened(global: &Global, root: Root) -> Result<Arc<Service>, Failure> {
    global.open(Opening {
        root,
        ..Opening::default()
    })
}

fn add(source: &str, global: &Global) -> Result<(), Failure> {
    let (source, service) = (parse_reference(source)?, opened(global, Root::MayBeNew)?);
    let added = block_on(async { Ok(service.add_catalog(source).await?) })?;
    let catalogs = vec![added];
    Ok(output::print(&Catalogs { catalogs }, global.output)?)
}

fn remove(source: &str, global: &Global) -> Result<(), Failure> {
    let (source, service) = (parse_reference(source)?, opened(global, Root::Exists)?);
    let removed = source.shown();
    block_on(async { Ok(service.remove_catalog(source).await?) })?;
    Ok(output::print(&Removed { removed }, global.output)?)
}

#[derive(Serialize)]
struct Removed {
    removed: Shown,
}

impl Present for Removed {
    fn table(&self) -> String {
        format!("`{}` is no longer searched", self.removed)
    }
}

fn update(global: &Global) -> Result<(), Failure> {
    let service = opened(global, Root::Exists)?;
    let catalogs = block_on(async { Ok(service.update_catalogs().await?) })?;
    let catalogs = Catalogs { catalogs };
    output::print(&catalogs, global.output)?;
    let failed = |one: &&AddedCatalog| matches!(one.state, CatalogState::Failed { .. });
    match catalogs.catalogs.iter().filter(failed).count() {
        0 => Ok(()),
        failed => Err(NotFetched { failed }.into()),
    }
}

impl Present for Catalogs {
    fn table(&self) -> String {
        if self.catalogs.is_empty() {
            return "No catalog was added; the bundled one is always searched".into();
        }
        let rows = self.catalogs.iter().map(|one| {
            let (components, note) = match &one.state {
                CatalogState::Read {
                    components,
                    left_out: 0,
                } => (components.to_string(), String::new()),
                CatalogState::Read {
                    components,
                    left_out,
                } => {
                    let note = format!("{left_out} entries are left out: `registry validate`");
                    (components.to_string(), note)
                }
                CatalogState::Failed { error } => ("-".into(), error.message.clone()),
            };
            let source = one.source.to_string();
            vec![source.into(), components.into(), Cell::prose(note)]
        });
        grid(&["CATALOG", "COMPONENTS", ""], rows.collect())
    }
}

/// Some catalogs could not be fetched.
#[derive(Debug, thiserror::Error)]
#[error("{failed} catalogs could not be fetched; what was fetched before is still used")]
struct NotFetched {
    failed: usize,
}

impl Diagnose for NotFetched {
    fn code(&self) -> &'static str {
        "catalogs-not-fetched"
    }

    fn class(&self) -> Class {
        Class::Network
    }

    fn hint(&self) -> Option<String> {
        Some("`-o json` shows why, with a hint for each".into())
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
        let table = grid(
            &["NAME", "INSTALLED AS", "DESCRIPTION", "URI"],
            rows.collect(),
        );
        let is_foreign = |known: &&KnownComponent| known.entry.catalog != "bundled";
        match self.components.iter().filter(is_foreign).count() {
            0 => table,
            foreign => format!(
                "{table}\n\nnote: {foreign} of these are from catalogs that were added; what \
                 they say is not verified"
            ),
        }
    }
}
