//! Checks that an entry of a catalog works: its component can be fetched and loaded, and every
//! client can use its tools.

use std::sync::Arc;

use crate::catalog::CheckedEntry;
use crate::error::{Class, Diagnosis, Layered};
use crate::fetch::Silent;
use crate::install::{Compile, LoadRequest, NobodyToAsk, PolicyChoice, SignerRequest};
use crate::schema::ListedTool;
use crate::store::Origin;
use crate::verify::Verification;

use super::{Error, Service};

/// The reason why an entry does not work.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    #[error(transparent)]
    Load(#[from] Error),
    #[error("Not every client can use the tool `{tool}`")]
    Unfit { tool: String, faults: Vec<String> },
}

impl Layered for EntryError {
    fn diagnosis(&self) -> Diagnosis<'_> {
        match self {
            EntryError::Load(error) => Diagnosis::Below(error),
            EntryError::Unfit { .. } => Diagnosis::Own("unfit-tool", Class::InvalidComponent),
        }
    }

    fn own_hint(&self) -> Option<String> {
        match self {
            EntryError::Load(_) => None,
            EntryError::Unfit { faults, .. } => Some(faults.join("; ")),
        }
    }
}

impl Service {
    /// Loads the component of an entry into this root without grants, and checks its tools;
    /// returns their names.
    ///
    /// # Errors
    ///
    /// The reason why it does not load, or the tool that a client would refuse.
    pub async fn validate(
        self: &Arc<Self>,
        entry: &CheckedEntry,
    ) -> Result<Vec<String>, EntryError> {
        let request = LoadRequest {
            reference: entry.reference.clone(),
            package: None,
            name: None,
            digest: entry.entry.digest,
            verification: Verification::Required,
            compile: Compile::Wait,
            policy: PolicyChoice::Leave,
            signers: SignerRequest::default(),
            origin: Origin::Cli,
            locked: None,
            manifest: None,
        };
        let loaded = self.load(request, &Silent, &NobodyToAsk).await?;
        let names = loaded.tool_names;
        for tool in names.iter().filter_map(|name| self.toolbox.get(name)) {
            let listed = ListedTool {
                name: &tool.name,
                description: tool.description(),
                input_schema: tool.input_schema(),
                output_schema: Some(tool.output_schema()),
            };
            let faults = listed.faults();
            if !faults.is_empty() {
                let tool = tool.name.clone();
                return Err(EntryError::Unfit { tool, faults });
            }
        }
        Ok(names)
    }
}
