//! Storage permissions: files and directories that a component may use.

mod access;
mod pattern;
mod rules;
mod uri;

use std::path::Path;

pub use access::Access;
pub use rules::{Quota, StorageRoot, StorageRules};
pub use uri::{Base, StorageUri};

/// One entry of `storage.allow` or `storage.deny`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorageRule {
    pub uri: StorageUri,
    /// Never empty. In a deny rule, the denied modes.
    pub access: Access,
    /// Bytes by which the files may grow. `None` means the server's default
    /// limit; always `None` in a deny rule.
    pub quota: Option<u64>,
}

/// Paths that are not allowed are invisible; a deny rule takes precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoragePermissions {
    pub allow: Vec<StorageRule>,
    pub deny: Vec<StorageRule>,
}

impl StoragePermissions {
    /// Resolves relative rules against `working_directory`, the server's, which must be absolute
    /// and canonical.
    pub fn resolve(&self, working_directory: &Path) -> StorageRules {
        StorageRules::new(self, working_directory)
    }
}
