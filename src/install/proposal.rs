//! The proposal of an order: the result for each entry.

use std::collections::BTreeMap;

use crate::policy::Policy;
use crate::reference::ComponentId;
use crate::schema::ToolRecord;
use crate::schema::rules::ToolRules;
use crate::store::{Change, Grantor, Grants, Installed, Metadata, Origin, Rules, Store};

use super::plan::{Action, GrantChanges, Plan, Planned};
use super::{
    Candidate, Changes, Compile, ComponentLock, Error, Installer, Part, Request, Wanted,
    content_digest, described,
};

/// The proposal of an order: everything is staged, and nothing is changed yet.
pub struct Proposal {
    pub plan: Plan,
    /// The metadata that each wanted component will have.
    pub metadata: Vec<Metadata>,
    pub(super) parts: Vec<Part>,
    pub(super) compile: Compile,
    pub(super) jobs: usize,
    /// Locks that keep others from changing the components meanwhile.
    pub(super) locks: BTreeMap<ComponentId, ComponentLock>,
}

/// The result for one entry.
pub(super) enum Found {
    Kept {
        installed: Box<Installed>,
        note: Option<String>,
    },
    Candidate(Box<Candidate>),
}

impl Found {
    pub(super) fn metadata(&self) -> &Metadata {
        match self {
            Found::Kept { installed, .. } => &installed.metadata,
            Found::Candidate(candidate) => candidate.metadata(),
        }
    }
}

impl Installer {
    /// Adds the result for one entry to a proposal.
    pub(super) async fn take(
        &self,
        proposal: &mut Proposal,
        wanted: &Wanted,
        found: Found,
    ) -> Result<(), Error> {
        let metadata = found.metadata().clone();
        let before = match &found {
            Found::Kept { installed, .. } => Some(&installed.metadata),
            Found::Candidate(candidate) => candidate.before.as_ref().map(|old| &old.metadata),
        };
        let id = wanted.id.clone();
        let (granted, ruled) = match before {
            None => (Some(Policy::default()), Some(ToolRules::default())),
            // An unreadable file grants or offers nothing, and is replaced.
            Some(_) => {
                let look = move |store: &Store| (store.granted(&id), store.recorded_rules(&id));
                let (granted, ruled) = self.disk.run(look).await?;
                (granted.ok().map(|granted| granted.policy), ruled.ok())
            }
        };
        let rules_change = ruled.as_ref() != Some(&wanted.tools);
        let ruled = ruled.unwrap_or_else(ToolRules::nothing);
        let now = wanted.permissions.clone();
        let changed = now.is_some() && now.as_ref().map(rules_of) != granted.as_ref().map(rules_of);
        let before_policy = granted.unwrap_or_default();
        let in_force = now.as_ref().unwrap_or(&before_policy);
        let asked = Request::of(&metadata).policy;
        let planned = Planned {
            component_id: wanted.id.clone(),
            action: match (&found, before) {
                (Found::Candidate(_), None) => Action::Install,
                (Found::Candidate(_), Some(_)) => Action::Replace,
                (Found::Kept { .. }, _) if changed => Action::Regrant,
                (Found::Kept { .. }, _) if rules_change => Action::ChangeTools,
                (Found::Kept { .. }, _) => Action::Keep,
            },
            source: metadata.source.shown(),
            digest: content_digest(&metadata),
            tools: names(
                &wanted
                    .tools
                    .definitions(&metadata.component_id, &metadata.tools),
            ),
            tool_rules: ruled.changes_to(&wanted.tools, &metadata.tools),
            changes: match (&found, before) {
                (Found::Candidate(_), Some(before)) => Some(Changes::between(before, &metadata)),
                _ => None,
            },
            not_granted: match &found {
                Found::Candidate(_) => described(self.beyond(&asked, in_force)),
                Found::Kept { .. } => Vec::new(),
            },
            grants: GrantChanges::between(&before_policy, in_force),
            note: match &found {
                Found::Kept {
                    note: Some(note), ..
                } => Some(note.clone()),
                _ => None,
            },
        };
        let planned = match planned.tools.is_empty() && !metadata.tools.is_empty() {
            true => Planned {
                note: Some("the rules for its tools leave none that is offered".into()),
                ..planned
            },
            false => planned,
        };
        let grantor = Grantor::from(Origin::Manifest);
        let grants = match now.filter(|_| changed).map(Box::new) {
            None => Grants::Kept,
            Some(policy) => Grants::Given { policy, grantor },
        };
        let rules = match rules_change {
            true => Rules::Given(wanted.tools.clone()),
            false => Rules::Kept,
        };
        match found {
            Found::Candidate(candidate) => proposal.parts.push(Part::Install {
                candidate: *candidate,
                grants,
                rules,
            }),
            Found::Kept { .. } if changed || rules_change => {
                proposal.parts.push(Part::Change(Change::Settle {
                    id: wanted.id.clone(),
                    grants,
                    rules,
                }));
            }
            Found::Kept { .. } => {}
        }
        proposal.plan.components.push(planned);
        proposal.metadata.push(metadata);
        Ok(())
    }
}

impl Proposal {
    pub(super) fn remove(&mut self, installed: &Metadata) {
        let id = &installed.component_id;
        self.parts
            .push(Part::Change(Change::Remove { id: id.clone() }));
        self.plan.components.push(Planned {
            component_id: id.clone(),
            action: Action::Remove,
            source: installed.source.shown(),
            digest: content_digest(installed),
            tools: names(&installed.tools),
            tool_rules: Vec::new(),
            changes: None,
            grants: GrantChanges::default(),
            not_granted: Vec::new(),
            note: None,
        });
    }
}

fn names(tools: &[ToolRecord]) -> Vec<String> {
    let tools = tools.iter();
    tools.map(|tool| tool.normalized_name.clone()).collect()
}

/// A policy without its description, which has no effect on grants.
fn rules_of(policy: &Policy) -> Policy {
    Policy {
        description: None,
        ..policy.clone()
    }
}
