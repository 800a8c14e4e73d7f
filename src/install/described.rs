use serde::Serialize;

use crate::policy::Permission;

/// A permission as data and in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described {
    /// In the form of a policy, under the key of its kind: `{"network": {"host": "…"}}`.
    pub permission: Permission,
    pub description: String,
}

impl From<Permission> for Described {
    fn from(permission: Permission) -> Self {
        Described {
            description: permission.to_string(),
            permission,
        }
    }
}

pub fn described(permissions: Vec<Permission>) -> Vec<Described> {
    permissions.into_iter().map(Described::from).collect()
}
