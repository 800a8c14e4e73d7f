use serde::Serialize;

use crate::policy::Permission;

/// A permission as data and in plain words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described {
    /// As in a policy, under the kind's key: `{"network": {"host": "…"}}`.
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
