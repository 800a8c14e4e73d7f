use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::cli::output::{self, Format, Present};
use crate::cli::{Failure, Global, Opening, block_on};
use crate::manifest::export;

/// Print a manifest of what is installed, with digests and grants
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette export > fleet.yaml
  wassette export -o json
  wassette export | wassette --root /srv/wassette apply -f -")]
pub struct Export {}

/// The manifest, which is YAML also in the format for people.
#[derive(Serialize)]
#[serde(transparent)]
struct Document(Value);

impl Present for Document {
    fn table(&self) -> String {
        // Serializing plain data to memory cannot fail.
        serde_saphyr::to_string(&self.0).unwrap_or_default()
    }
}

impl Export {
    pub(in crate::cli) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let exported = block_on(async { Ok(service.export().await?) })?;
        let document = Document(export(&exported));
        // Programs read a manifest, so its text is not adapted to terminals.
        match global.output {
            Format::Table => output::print_text(&document.table())?,
            format => output::print(&document, format)?,
        }
        Ok(())
    }
}
