//! The changes that an `apply` would make, as data.

use serde::Serialize;

use crate::digest::Digest;
use crate::error::Report;
use crate::policy::{Permission, Policy};
use crate::reference::{ComponentId, Shown};
use crate::schema::rules::RuleChange;

use super::{Changes, Described, described};

/// The planned change of every component concerned.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    pub components: Vec<Planned>,
    /// Entries that cannot be applied, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<NotPlanned>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    pub component_id: ComponentId,
    pub action: Action,
    pub source: Shown,
    /// Digest of the version that will be installed, or that is removed.
    pub digest: Digest,
    /// The names of the tools that it offers, by the manifest's rules; for a removed component,
    /// their own names.
    pub tools: Vec<String>,
    /// The changes of the rules for its tools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_rules: Vec<RuleChange>,
    /// The differences from the installed version, if it is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    #[serde(skip_serializing_if = "GrantChanges::is_empty")]
    pub grants: GrantChanges,
    /// The permissions that the version requests and will not be granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_granted: Vec<Described>,
    /// A remark about something unusual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Install,
    /// Another version replaces the installed one.
    Replace,
    /// The same version gets other grants, and perhaps other rules for its tools.
    Regrant,
    /// The same version with the same grants gets other rules for its tools.
    ChangeTools,
    Keep,
    Remove,
}

/// The differences between grants. A limit that is set counts as granted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct GrantChanges {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Described>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Described>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denials_added: Vec<Described>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denials_removed: Vec<Described>,
}

#[derive(Debug, Clone, Serialize)]
pub struct NotPlanned {
    pub component_id: ComponentId,
    pub error: Report,
}

impl Plan {
    /// Whether no change is needed.
    pub fn is_done(&self) -> bool {
        self.count(Action::Keep) == self.components.len()
    }

    pub fn count(&self, action: Action) -> usize {
        let planned = self.components.iter();
        planned.filter(|planned| planned.action == action).count()
    }
}

impl GrantChanges {
    pub fn between(before: &Policy, now: &Policy) -> Self {
        let (granted, grants) = (before.permissions(), now.permissions());
        let (denied, denies) = (before.denials(), now.denials());
        GrantChanges {
            added: only(&grants, &granted),
            removed: only(&granted, &grants),
            denials_added: only(&denies, &denied),
            denials_removed: only(&denied, &denies),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == GrantChanges::default()
    }
}

fn only(of: &[Permission], than: &[Permission]) -> Vec<Described> {
    let only = of.iter().filter(|permission| !than.contains(permission));
    described(only.cloned().collect())
}
