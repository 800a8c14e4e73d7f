//! The manifest: the components that a root should hold, their sources and their permissions.
//! Parses text into a [`Manifest`]; the caller reads the files.
//!
//! [`lock`] holds the versions that a manifest resolved to.

mod document;
mod error;
mod export;
mod include;
pub mod lock;
mod read;
#[cfg(test)]
mod tests;
mod tools;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde_json::Value;

use crate::config::{TrustRule, WrittenRule};
use crate::digest::Digest;
use crate::policy::Policy;
use crate::reference::{ComponentId, Reference};
use crate::schema::rules::ToolRules;

pub use document::schema;
pub use error::ManifestError;
pub use export::{Exported, export};
pub use include::{Files, load};
pub use lock::{Lock, Locked};
pub use variables::Variables;

use document::{Permissions, Uri};

/// Largest file of a manifest, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// The components that a root is to hold.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Manifest of `wassette apply`")]
pub struct Manifest {
    /// The version of the manifest's language; 1 if it is left out.
    #[schemars(with = "Option<u32>", range(min = 1, max = 1))]
    pub version: u32,
    /// The components to install.
    #[schemars(rename = "components", with = "Option<Vec<Entry>>", extend("type" = "array"), length(max = 1024))]
    pub entries: Vec<Entry>,
    /// Other manifests whose components belong to this one: paths from this
    /// file, below its directory.
    #[schemars(with = "Option<Vec<String>>")]
    pub include: Vec<PathBuf>,
    /// Where an editor finds this schema; nothing is fetched from there.
    #[schemars(rename = "$schema")]
    pub schema: Option<String>,
    /// The files that it was read from.
    #[schemars(skip)]
    pub files: Vec<PathBuf>,
}

/// One component that is to be installed.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Component")]
pub struct Entry {
    /// The source: `oci://`, `https://`, `file://`, `oci-layout://`, a path from the manifest's
    /// directory, or a name of the catalog.
    #[schemars(rename = "uri", with = "Uri")]
    pub reference: Reference,
    /// The id to install it under; otherwise made from `uri`.
    #[schemars(rename = "name", with = "Option<String>", length(max = 4096))]
    pub id: ComponentId,
    /// The required digest (`sha256:…`) of the OCI manifest or of the component.
    #[schemars(with = "Option<String>", length(max = 4096))]
    pub digest: Option<Digest>,
    /// The grants, replacing all earlier ones. If absent, the grants do not change; `{}` revokes
    /// all.
    #[schemars(with = "Option<Permissions>")]
    pub permissions: Option<Policy>,
    /// The signature that it needs, in addition to the rules in `config.toml`.
    #[schemars(with = "Option<WrittenRule>")]
    pub trust: Option<TrustRule>,
    /// Rules for its tools: which are offered, their names and descriptions, and arguments given
    /// in advance. If absent, all tools are offered unchanged.
    #[schemars(with = "Option<ToolRules>")]
    pub tools: ToolRules,
    /// How often to retry when its source cannot be reached.
    #[schemars(with = "Option<Retry>")]
    pub retry: Retry,
    /// The entry as written.
    #[schemars(skip)]
    pub written: Written,
}

/// How often to retry a fetch when the source cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retry {
    /// Retries after the first attempt, at most 100.
    #[schemars(with = "Option<document::Count>")]
    pub max: u32,
    /// The pause before each retry, as in `2s`; at most an hour.
    #[schemars(with = "Option<String>")]
    pub delay: Duration,
}

impl Default for Retry {
    /// No retries in addition to those of every request.
    fn default() -> Self {
        Retry {
            max: 0,
            delay: Duration::from_secs(1),
        }
    }
}

/// An entry as written, before variables are expanded. It may be shown and stored on any machine.
#[derive(Debug, Clone)]
pub struct Written {
    /// The file, and the line on which the entry begins.
    pub place: String,
    pub uri: String,
    /// The value of `permissions`.
    pub permissions: Option<Value>,
    /// Hash of the value of `tools`.
    pub tools: Option<Digest>,
    /// Hash of the whole entry, independent of layout and order.
    pub hash: Digest,
}
