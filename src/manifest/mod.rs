//! The manifest: which components a root is to hold, from where, and what they
//! may do. Text in, [`Manifest`] out; reading files is its user's work.
//!
//! [`lock`] holds what a manifest resolved to.

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

/// Bytes of one file of a manifest, at most.
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
    /// Where it comes from: `oci://`, `https://`, `file://`, `oci-layout://`, a
    /// path from the manifest's directory, or a name of the catalog.
    #[schemars(rename = "uri", with = "Uri")]
    pub reference: Reference,
    /// The id to install it under; otherwise made from `uri`.
    #[schemars(rename = "name", with = "Option<String>", length(max = 4096))]
    pub id: ComponentId,
    /// `sha256:…` of the OCI manifest or of the component; nothing else is
    /// installed.
    #[schemars(with = "Option<String>", length(max = 4096))]
    pub digest: Option<Digest>,
    /// What it is granted: this and nothing else. Left out, its grants stay as
    /// they are; `{}` takes all.
    #[schemars(with = "Option<Permissions>")]
    pub permissions: Option<Policy>,
    /// Whose signature it needs, besides what the rules in `config.toml` require.
    #[schemars(with = "Option<WrittenRule>")]
    pub trust: Option<TrustRule>,
    /// Which of its tools are offered, how they are called and described, and
    /// which arguments are given in advance. Left out, all are offered as they
    /// are.
    #[schemars(with = "Option<ToolRules>")]
    pub tools: ToolRules,
    /// How often it is tried again when its source cannot be reached.
    #[schemars(with = "Option<Retry>")]
    pub retry: Retry,
    /// How the entry is written.
    #[schemars(skip)]
    pub written: Written,
}

/// How often a fetch is tried again when the source cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retry {
    /// Tries after the first, at most 100.
    #[schemars(with = "Option<document::Count>")]
    pub max: u32,
    /// The pause before each, as in `2s`; at most an hour.
    #[schemars(with = "Option<String>")]
    pub delay: Duration,
}

impl Default for Retry {
    /// No tries besides those that every request has anyway.
    fn default() -> Self {
        Retry {
            max: 0,
            delay: Duration::from_secs(1),
        }
    }
}

/// An entry as its file has it, before variables are expanded: what may be
/// shown and kept, on any machine.
#[derive(Debug, Clone)]
pub struct Written {
    /// The file, and the line on which the entry begins.
    pub place: String,
    pub uri: String,
    /// The value of `permissions`.
    pub permissions: Option<Value>,
    /// Of the value of `tools`.
    pub tools: Option<Digest>,
    /// Of all that is written; not of its layout and order.
    pub hash: Digest,
}
