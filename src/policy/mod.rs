//! The permissions document of a component.
//!
//! The policy in an artifact is only a request: it is shown to the operator
//! and grants nothing. The policy that the operator approved is in force. Every
//! key of the document is either enforced or rejected; docs/policy.md describes
//! the language.

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

/// The JSON Schema of the permissions document, for editors.
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
    /// Parses a YAML document. Unknown keys are errors.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] with line, column and key.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        document::parse(text)
    }

    /// Returns the policy as YAML, which [`Policy::parse`] parses to an equal policy.
    pub fn to_yaml(&self) -> String {
        // Serializing maps of text and numbers to memory cannot fail.
        serde_saphyr::to_string(self).expect("a policy is plain data")
    }

    /// Returns one English sentence for each section of the policy that the component cannot use,
    /// because it imports (`imports`) none of the interfaces for it.
    pub fn unexpected(&self, imports: &[String]) -> Vec<String> {
        unexpected::unexpected(self, imports)
    }
}

/// Whether an access is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    Allowed,
    Denied(Reason),
}

/// The reason why an access is denied. A grant helps only for [`Reason::NotGranted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No rule allows it.
    NotGranted,
    /// A deny rule matches. It takes precedence over every allow rule.
    DeniedByRule,
    /// No rule can allow it, for example a connection to `0.0.0.0`.
    Never,
}

impl Decision {
    /// Allowed if an allow rule matched, else [`Reason::NotGranted`].
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

/// Parses a policy document and returns its `permissions` as JSON.
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
