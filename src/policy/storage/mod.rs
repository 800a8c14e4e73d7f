//! What a component may do with files.

mod access;
mod pattern;
mod rules;
mod uri;

use std::path::Path;

pub use access::Access;
pub use rules::{Quota, StorageRoot, StorageRules};
pub use uri::{Base, StorageUri};

/// One line of a storage list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StorageRule {
    pub uri: StorageUri,
    /// Never none. In a deny: what is taken away.
    pub access: Access,
    /// Bytes that may be added to the files; the server's own limit where it is
    /// none, and in a deny.
    pub quota: Option<u64>,
}

/// Paths; nothing is there unless allowed, and a deny wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoragePermissions {
    pub allow: Vec<StorageRule>,
    pub deny: Vec<StorageRule>,
}

impl StoragePermissions {
    /// Makes the rules absolute. `working_directory` is the server's, absolute
    /// and canonical.
    pub fn resolve(&self, working_directory: &Path) -> StorageRules {
        StorageRules::new(self, working_directory)
    }
}
