//! The permissions document: what a component may do.
//!
//! What an artifact carries is a request: it is shown to the operator and
//! grants nothing. What the operator approved is the policy in force. Every
//! part of the language is enforced or refused; docs/policy.md describes it.

pub(crate) mod document;
mod environment;
mod error;
mod grants;
mod limits;
mod network;
mod permission;
mod quantity;
mod storage;
mod unexpected;

use serde::Serialize;
use serde_json::Value;

pub use environment::{EnvironmentPermissions, EnvironmentRule, ValueSource};
pub use error::{InvalidPermission, Place, PolicyError};
pub use grants::Revoked;
pub use limits::{CpuShare, LimitRule, Limits};
pub use network::{
    CidrRule, Host, HostPattern, Hosts, Network, NetworkPermissions, NetworkRule, Scheme, is_public,
};
pub use permission::Permission;
pub use quantity::{
    Bytes, Span, format_duration, format_size, parse_bytes, parse_duration, parse_size, parse_span,
};
pub use storage::{
    Access, Base, Quota, StoragePermissions, StorageRoot, StorageRule, StorageRules, StorageUri,
};

/// The JSON Schema of the document, for editors.
pub const SCHEMA: &str = include_str!("../../schemas/policy-1.0.schema.json");

/// A permissions document. The default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub description: Option<String>,
    pub network: NetworkPermissions,
    pub storage: StoragePermissions,
    pub environment: EnvironmentPermissions,
    pub limits: Limits,
}

impl Policy {
    /// Reads a document, strictly.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], which names the place and the key.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        document::parse(text)
    }

    /// The document as text; [`Policy::parse`] reads it back as it was.
    pub fn to_yaml(&self) -> String {
        // Maps of text and numbers only, written to memory: nothing can fail.
        serde_saphyr::to_string(self).expect("a policy is plain data")
    }

    /// Plain sentences on what is asked for and cannot be made use of, as the
    /// component imports no interface for it.
    pub fn unexpected(&self, imports: &[String]) -> Vec<String> {
        unexpected::unexpected(self, imports)
    }
}

/// The answer to a question about a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    Allowed,
    Denied(Reason),
}

/// Why something is denied, which tells whether a grant would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No rule allows it.
    NotGranted,
    /// A rule denies it, which wins over every grant.
    DeniedByRule,
    /// Nothing can allow it.
    Never,
}

impl Decision {
    /// What is allowed when some rule allows it.
    fn granted(some_rule: bool) -> Self {
        if some_rule {
            Decision::Allowed
        } else {
            Decision::Denied(Reason::NotGranted)
        }
    }

    pub fn is_allowed(self) -> bool {
        self == Decision::Allowed
    }
}

/// Reads what a bundled policy asks for: the value of `permissions`.
///
/// # Errors
///
/// [`PolicyError`] when the text is not a permissions document.
pub fn requested_permissions(text: &str) -> Result<Value, PolicyError> {
    let policy = Policy::parse(text)?;
    Ok(serde_json::json!(policy)["permissions"].take())
}

#[cfg(test)]
mod tests;
