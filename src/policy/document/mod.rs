//! Parser and serializer of the permissions document.

mod fragment;
mod keys;
mod node;
mod reader;
mod sections;
mod write;

use serde_saphyr::options::MergeKeyPolicy;

use super::Policy;
use super::error::{Place, PolicyError, excerpt};
use crate::text::without_bom;
pub use keys::Keys;
pub use node::{Node, Placed};
pub use reader::{Fields, Reader, Spot};

/// The only supported version of the document.
const VERSION: &str = "1.0";

/// Largest accepted document, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Largest accepted description, in bytes.
const LONGEST_DESCRIPTION: usize = 8 * 1024;

/// Parses a document. Limits its size and checks every key and value.
pub fn parse(text: &str) -> Result<Policy, PolicyError> {
    if text.len() > LARGEST {
        return Err(PolicyError::TooLarge {
            size: text.len(),
            limit: LARGEST,
        });
    }
    document(Reader::new(tree(text)?))
}

/// Parses YAML to a tree in which every value has its position.
///
/// # Errors
///
/// [`PolicyError::Malformed`], also for YAML features that no document of this program needs.
pub fn tree(text: &str) -> Result<Placed, PolicyError> {
    serde_saphyr::from_str_with_options(without_bom(text), options()).map_err(malformed)
}

/// YAML features that a policy does not need are rejected (anchors, aliases, merge keys) or
/// limited (depth, nodes).
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_nodes: 100_000,
            max_documents: 1,
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
        },
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        // A snippet would repeat values, which may be confidential.
        with_snippet: false,
    }
}

fn malformed(error: serde_saphyr::Error) -> PolicyError {
    let at = error.location().map_or(Place::START, |location| Place {
        line: location.line().max(1),
        column: location.column().max(1),
    });
    PolicyError::Malformed {
        at,
        problem: excerpt(&error.to_string()),
    }
}

fn document(root: Reader) -> Result<Policy, PolicyError> {
    let mut fields = root.fields(&keys::DOCUMENT)?;
    let version = fields.need("version")?;
    let spot = version.spot.clone();
    if version.text()? != VERSION {
        return Err(spot.wrong(format!("the only version is `\"{VERSION}\"`")));
    }
    if let Some(schema) = fields.take("$schema") {
        // A URL for editors. It is never fetched.
        schema.text()?;
    }
    let description = fields.take("description").and_then(Reader::unless_null);
    let mut policy = Policy {
        description: description.map(describe).transpose()?,
        ..Policy::default()
    };
    if let Some(permissions) = fields.take("permissions").and_then(Reader::unless_null) {
        self::permissions(permissions, &mut policy)?;
    }
    Ok(policy)
}

fn describe(reader: Reader) -> Result<String, PolicyError> {
    let spot = reader.spot.clone();
    match reader.text()? {
        text if text.len() > LONGEST_DESCRIPTION => Err(spot.wrong(format!(
            "a description has at most {LONGEST_DESCRIPTION} bytes"
        ))),
        text => Ok(text),
    }
}

/// Reads the value of `permissions` into a policy.
///
/// # Errors
///
/// [`PolicyError::Invalid`], with the position and the key.
pub fn permissions(reader: Reader, policy: &mut Policy) -> Result<(), PolicyError> {
    let mut fields = reader.fields(&keys::PERMISSIONS)?;
    let mut section = |name| fields.take(name).and_then(Reader::unless_null);
    if let Some(reader) = section("network") {
        policy.network = sections::network(reader)?;
    }
    if let Some(reader) = section("storage") {
        policy.storage = sections::storage(reader)?;
    }
    if let Some(reader) = section("environment") {
        policy.environment = sections::environment(reader)?;
    }
    if let Some(reader) = section("resources") {
        policy.limits = sections::resources(reader)?;
    }
    Ok(())
}
