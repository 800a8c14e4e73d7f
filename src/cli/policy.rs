use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::error::{Class, Diagnose};
use crate::file::{Links, read_text};
use crate::policy::{Policy as Document, PolicyError, SCHEMA};
use crate::reference::ComponentId;
use crate::service::{Described, Origin, PolicyReport};

use super::output::{self, Present};
use super::table::{Cell, grid, time};
use super::{Failure, Global, Opening, block_on};

/// Largest policy file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Show and replace what components are granted
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette policy get weather
  wassette policy get weather --yaml > weather.yaml
  wassette policy set weather weather.yaml
  wassette policy schema > policy.schema.json")]
pub struct Policy {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show what a component is granted, by whom, and what it asks for beyond that
    Get {
        /// Id of the component
        id: ComponentId,
        /// Print the policy in force, as its document
        #[arg(long)]
        yaml: bool,
    },
    /// Grant what a policy file says, and nothing else
    Set {
        /// Id of the component
        id: ComponentId,
        /// A policy document
        file: PathBuf,
    },
    /// Print the JSON Schema of policy documents
    Schema,
}

impl Policy {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        match self.verb {
            Verb::Get { id, yaml } => {
                let service = global.open(Opening::default())?;
                let report = block_on(async { Ok(service.policy(&id).await?) })?;
                if yaml {
                    output::write(&report.document)?;
                } else {
                    output::print(&report, global.output)?;
                }
            }
            Verb::Set { id, file } => {
                let policy = read(&file)?;
                let service = global.open(Opening::default())?;
                let report =
                    block_on(async { Ok(service.set_policy(&id, policy, Origin::Cli).await?) })?;
                output::print(&report, global.output)?;
            }
            Verb::Schema => output::write_json(SCHEMA)?,
        }
        Ok(())
    }
}

/// Reads a policy file that was named on the command line.
pub(super) fn read(path: &Path) -> Result<Document, Failure> {
    let failed = |fault: PolicyFault| PolicyFileError {
        path: path.to_owned(),
        fault,
    };
    let text = read_text(path, MAX_FILE, Links::Follow).map_err(|error| failed(error.into()))?;
    Ok(Document::parse(&text).map_err(|error| failed(error.into()))?)
}

/// A policy file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a policy", path.display())]
struct PolicyFileError {
    path: PathBuf,
    #[source]
    fault: PolicyFault,
}

#[derive(Debug, thiserror::Error)]
enum PolicyFault {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error(transparent)]
    Invalid(#[from] PolicyError),
}

impl Diagnose for PolicyFileError {
    fn code(&self) -> &'static str {
        "invalid-policy"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match &self.fault {
            PolicyFault::Invalid(error) => error.hint(),
            _ => Some("docs/policy.md shows one".into()),
        }
    }
}

impl Present for PolicyReport {
    fn table(&self) -> String {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for grant in &self.grants {
            let by = grant.granted_by.map_or("hand", |origin| origin.name());
            let at = grant.granted_at.map_or_else(String::new, time);
            let what = grant.described.description.clone();
            rows.push(vec![what.into(), by.into(), at.into()]);
        }
        let row = |one: &Described, state: &str| {
            vec![one.description.clone().into(), state.into(), "".into()]
        };
        rows.extend(self.denied.iter().map(|one| row(one, "denied")));
        rows.extend(self.not_granted.iter().map(|one| row(one, "not granted")));
        let mut text = match rows.is_empty() {
            true => format!("`{}` is granted nothing", self.component_id),
            false => grid(&["MAY", "GRANTED BY", "AT"], rows),
        };
        for remark in &self.remarks {
            text.push_str(&format!("\n\nnote: {remark}"));
        }
        text
    }
}
