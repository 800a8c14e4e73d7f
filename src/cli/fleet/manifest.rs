use clap::{Args, Subcommand};

use crate::cli::{Failure, output};
use crate::manifest::schema;

/// Tell what manifests are made of
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette manifest schema > manifest.schema.json")]
pub struct Manifest {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the JSON Schema of manifests
    Schema,
}

impl Manifest {
    pub(in crate::cli) fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Schema => Ok(output::write_json(&schema())?),
        }
    }
}
