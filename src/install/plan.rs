//! What an `apply` would change, as data.

use serde::Serialize;

use crate::digest::Digest;
use crate::error::Report;
use crate::policy::{Permission, Policy};
use crate::reference::{ComponentId, Shown};
use crate::schema::rules::RuleChange;

use super::{Changes, Described, described};

/// What is to become of every component that is concerned.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    pub components: Vec<Planned>,
    /// Entries that nothing is done for, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<NotPlanned>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Planned {
    pub component_id: ComponentId,
    pub action: Action,
    pub source: Shown,
    /// Of the version that will be in place, or that is taken away.
    pub digest: Digest,
    /// The names of the tools that it offers, as far as the manifest says; for one
    /// that is removed, their own names.
    pub tools: Vec<String>,
    /// What other rules than before change of its tools.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_rules: Vec<RuleChange>,
    /// Against the version in place, where it is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    #[serde(skip_serializing_if = "GrantChanges::is_empty")]
    pub grants: GrantChanges,
    /// What the version asks for and will not be granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_granted: Vec<Described>,
    /// What is unusual about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Install,
    /// Another version takes the place of the one that is installed.
    Replace,
    /// The same version is granted something else, and may offer its tools
    /// otherwise.
    Regrant,
    /// The same version, with the same grants, offers its tools otherwise.
    ChangeTools,
    Keep,
    Remove,
}

/// How grants differ. A limit that is set counts as granted.
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
    /// Whether everything is as it should be already.
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
