//! The permissions document as text.

mod node;
mod reader;
mod sections;
mod write;

use serde_saphyr::options::MergeKeyPolicy;

use super::Policy;
use super::error::PolicyError;
use reader::Reader;

/// The one version of the document there is.
pub const VERSION: &str = "1.0";

/// Bytes of a document, at most.
const LARGEST: usize = 1024 * 1024;

/// Bytes of a description, at most.
const LONGEST_DESCRIPTION: usize = 8 * 1024;

pub fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > LARGEST {
        return Err(PolicyError::TooLarge {
            size: text.len(),
            limit: LARGEST,
        });
    }
    let root = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| PolicyError::Malformed(Box::new(error)))?;
    document(Reader::new(root))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            max_nodes: 100_000,
            max_documents: 1,
            max_aliases: 1_000,
        },
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
    }
}

fn document(root: Reader) -> Result<Policy, PolicyError> {
    let mut fields = root.fields(&["version", "description", "permissions"])?;
    let version = fields.need("version")?;
    let (at, path) = (version.at, version.path.clone());
    if version.text()? != VERSION {
        let problem = format!("the one version there is is \"{VERSION}\"");
        return Err(PolicyError::Invalid { at, path, problem });
    }
    let mut policy = Policy::default();
    if let Some(description) = fields.take("description") {
        let (at, path) = (description.at, description.path.clone());
        let text = description.text()?;
        if text.len() > LONGEST_DESCRIPTION {
            let problem = format!("a description has at most {LONGEST_DESCRIPTION} bytes");
            return Err(PolicyError::Invalid { at, path, problem });
        }
        policy.description = Some(text);
    }
    if let Some(permissions) = fields.take("permissions") {
        let mut fields = permissions.fields(&["network", "storage", "environment", "resources"])?;
        policy.network = fields
            .take("network")
            .map(sections::network)
            .transpose()?
            .unwrap_or_default();
        policy.storage = fields
            .take("storage")
            .map(sections::storage)
            .transpose()?
            .unwrap_or_default();
        policy.environment = fields
            .take("environment")
            .map(sections::environment)
            .transpose()?
            .unwrap_or_default();
        policy.limits = fields
            .take("resources")
            .map(sections::resources)
            .transpose()?
            .unwrap_or_default();
    }
    Ok(policy)
}
