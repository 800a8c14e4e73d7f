//! The names by which agents call tools: one record for all processes that share the root.
//!
//! A component's tools get their names when it is installed, and keep them through updates,
//! rollbacks and restarts. A name that is no longer offered stays reserved for its tool, so a
//! client's "always allow" does not pass to another component. If the record, or a component's
//! entry in it, is missing, every process computes the same names: the older component chooses
//! first.
//!
//! A rule may rename or hide a tool; its former names are then reserved for it and cannot be
//! called.

mod file;
mod offered;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::reference::{ComponentId, Reference};
use crate::schema::rules::{RuleFault, ToolRules, is_tool_name};
use crate::schema::{NameLength, ToolRecord, shorten_name};

pub use offered::{Offered, OfferedTool};
pub(super) use record::Coming;
pub use record::FreedNames;

/// Time for which a name that is no longer offered is reserved for its tool.
const RESERVED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Maps each name to its tool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    entries: BTreeMap<String, Entry>,
    /// The current and former names of each component.
    by_component: HashMap<ComponentId, BTreeSet<String>>,
    /// The names of the server's own tools.
    builtin: HashSet<String>,
    /// The length limit for tool names.
    length: NameLength,
    /// The tool rules of the components looked at so far, by the tools' own names.
    rules: HashMap<ComponentId, ToolRules>,
    /// The renamings that could not be applied.
    faults: HashMap<ComponentId, Vec<RuleFault>>,
}

/// The tool to which a name belongs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    component: ComponentId,
    /// Part of the identity: another source with the same id is another component.
    source: Reference,
    /// The tool's name within the component.
    tool: String,
    /// Whether the tool list shows it; if not, it can still be called.
    listed: bool,
    /// Whether a rule gives the tool this name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    renamed: bool,
    /// The start of the reservation; absent while the name is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freed_at: Option<Timestamp>,
}

/// The origin of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Renamed,
    Unlisted,
}

/// A name of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolName {
    pub name: String,
    /// The tool's own name, distinct within its component.
    pub tool: String,
    /// Whether the tool list shows it; if not, it can still be called.
    pub listed: bool,
}

impl Names {
    /// Sets the rules for a component's tools, by the tools' own names. Without rules, all tools
    /// are offered by their own names.
    pub(super) fn set_rules(&mut self, component: &ComponentId, rules: ToolRules) {
        self.rules.insert(component.clone(), rules);
    }

    /// Whether each offered tool of the component has the name that the rules require, and each
    /// hidden tool has none.
    fn has_all(&self, component: &Metadata) -> bool {
        let rules = self.rules.get(&component.component_id);
        component.tools.iter().all(|tool| {
            let own = &tool.normalized_name;
            let mut names = self
                .of_component(component)
                .filter(|(_, entry)| entry.tool == *own && entry.freed_at.is_none());
            let (offered, renamed) = match rules {
                None => (true, None),
                Some(rules) => (rules.offers(own), rules.rename.get(own)),
            };
            match renamed {
                _ if !offered => names.next().is_none(),
                None => names.any(|(name, entry)| {
                    entry.listed && !entry.renamed && !self.builtin.contains(name)
                }),
                Some(renamed) => {
                    let mut names = names.peekable();
                    names.peek().is_some()
                        && names
                            .all(|(name, entry)| entry.listed && entry.renamed && name == renamed)
                }
            }
        })
    }

    /// Names the tools of components that have no names yet, the oldest component first.
    fn complete<'a>(&mut self, installed: impl IntoIterator<Item = &'a Metadata>, now: Timestamp) {
        let mut without: Vec<&Metadata> = installed
            .into_iter()
            .filter(|component| !self.has_all(component))
            .collect();
        without.sort_by_key(|component| (component.created_at, &component.component_id));
        for component in without {
            self.adopt(component, now);
        }
    }

    /// Returns the names of a component's tools in the order of the tools, each tool's listed name
    /// first. A tool without names is left out.
    pub fn of(&self, component: &Metadata) -> Vec<ToolName> {
        let mut names: Vec<ToolName> = Vec::new();
        for tool in &component.tools {
            let own = |entry: &Entry| entry.tool == tool.normalized_name;
            let mut found: Vec<ToolName> = self
                .of_component(component)
                .filter(|(_, entry)| own(entry) && entry.freed_at.is_none())
                .map(|(name, entry)| ToolName {
                    name: name.clone(),
                    tool: entry.tool.clone(),
                    listed: entry.listed,
                })
                .collect();
            found.sort_by_key(|name| !name.listed);
            names.extend(found);
        }
        names
    }

    /// Names each offered tool of a component, and reserves the names of the others. Returns the
    /// renamings that are not possible; their tools get no name.
    pub(super) fn give(&mut self, component: &Metadata, now: Timestamp) -> &[RuleFault] {
        let before = self.of(component);
        self.free(&component.component_id, now);
        let rules = self.rules.get(&component.component_id).cloned();
        let rules = rules.unwrap_or_default();
        let mut faults = Vec::new();
        for tool in &component.tools {
            let own = &tool.normalized_name;
            if !rules.offers(own) {
                continue;
            }
            if let Some(name) = rules.rename.get(own) {
                match self.refusal(component, own, name, now) {
                    None => self.insert(name.clone(), component, tool, Kind::Renamed),
                    Some(fault) => faults.push(fault),
                }
                continue;
            }
            let name = self.choose(component, tool, now);
            self.insert(name, component, tool, Kind::Own);
            // Earlier names stay callable while the component is installed.
            let own = |name: &&ToolName| name.tool == tool.normalized_name && !name.listed;
            for name in before.iter().filter(own) {
                self.insert(name.name.clone(), component, tool, Kind::Unlisted);
            }
        }
        let kept = self.faults.entry(component.component_id.clone());
        kept.insert_entry(faults).into_mut()
    }

    /// Returns why a tool cannot have the name that a rule gives it; `None` if it can.
    fn refusal(
        &self,
        component: &Metadata,
        tool: &str,
        name: &str,
        now: Timestamp,
    ) -> Option<RuleFault> {
        if !is_tool_name(name) || self.shorten(name) != name {
            return Some(RuleFault::name(tool, name, self.length.characters()));
        }
        if self.builtin.contains(name) {
            return Some(RuleFault::taken(
                tool,
                name,
                "one of the server's own tools",
            ));
        }
        let entry = self.entries.get(name).filter(|entry| !entry.is_over(now))?;
        // Within one component, the operator decides what its names mean.
        let is_own = entry.component == component.component_id
            && entry.source.same_source(&component.source);
        let by = match entry.freed_at {
            _ if is_own && (entry.freed_at.is_some() || entry.tool == tool) => return None,
            None => format!("the tool `{}` of `{}`", entry.tool, entry.component),
            Some(_) => format!(
                "the tool `{}` of `{}`, for which it is reserved for 30 days",
                entry.tool, entry.component
            ),
        };
        Some(RuleFault::taken(tool, name, by))
    }

    /// Like [`Names::give`] for a component installed before the record existed: its longer names
    /// stay callable.
    fn adopt(&mut self, component: &Metadata, now: Timestamp) {
        self.give(component, now);
        for tool in &component.tools {
            let own = &tool.normalized_name;
            let named = self.of_tool(component, own);
            let is_offered = named.is_some_and(|(_, entry)| entry.freed_at.is_none());
            if is_offered && self.shorten(own) != *own && self.is_free(own, now) {
                self.insert(own.clone(), component, tool, Kind::Unlisted);
            }
        }
    }

    /// Reserves the names of a component that is no longer installed.
    pub(super) fn free(&mut self, id: &ComponentId, now: Timestamp) {
        for name in self.by_component.get(id).into_iter().flatten() {
            if let Some(entry) = self.entries.get_mut(name) {
                entry.freed_at = entry.freed_at.or(Some(now));
            }
        }
    }

    /// Frees the names of a component, so that others can get them at once.
    pub(super) fn forget(&mut self, id: &ComponentId) {
        for name in self.by_component.remove(id).unwrap_or_default() {
            self.entries.remove(&name);
        }
    }

    /// Reserves the names of components that vanished without being unloaded, and drops expired
    /// reservations.
    pub(super) fn tidy(&mut self, is_installed: impl Fn(&ComponentId) -> bool, now: Timestamp) {
        let ids: Vec<ComponentId> = self.by_component.keys().cloned().collect();
        for id in ids.iter().filter(|id| !is_installed(id)) {
            self.free(id, now);
        }
        let entries = &mut self.entries;
        self.by_component.retain(|_, names| {
            names.retain(|name| {
                let over = entries.get(name).is_none_or(|entry| entry.is_over(now));
                if over {
                    entries.remove(name);
                }
                !over
            });
            !names.is_empty()
        });
    }

    fn insert(&mut self, name: String, component: &Metadata, tool: &ToolRecord, kind: Kind) {
        let entry = Entry {
            component: component.component_id.clone(),
            source: component.source.clone(),
            tool: tool.normalized_name.clone(),
            listed: kind != Kind::Unlisted,
            renamed: kind == Kind::Renamed,
            freed_at: None,
        };
        // An expired reservation loses the name to this component.
        if let Some(before) = self.entries.insert(name.clone(), entry)
            && let Some(names) = self.by_component.get_mut(&before.component)
        {
            names.remove(&name);
        }
        let names = self.by_component.entry(component.component_id.clone());
        names.or_default().insert(name);
    }

    /// Returns the tool's former name, or else the first free one of: its own name, that name
    /// prefixed with the component's id, and the same with a number appended.
    fn choose(&self, component: &Metadata, tool: &ToolRecord, now: Timestamp) -> String {
        let own = &tool.normalized_name;
        if let Some((name, _)) = self.of_tool(component, own) {
            return name.clone();
        }
        let prefixed = format!("{}_{own}", component.component_id);
        let numbered = |n: u64| self.shorten(&format!("{prefixed}_{n}"));
        let first = [self.shorten(own), self.shorten(&prefixed)].into_iter();
        let mut candidates = first.chain((2..).map(numbered));
        let free =
            candidates.find(|name| self.is_free(name, now) || self.was_given(component, name));
        free.unwrap_or_else(|| unreachable!("the numbers never end"))
    }

    fn shorten(&self, name: &str) -> String {
        shorten_name(name, self.length)
    }

    fn is_free(&self, name: &str, now: Timestamp) -> bool {
        let meant = self.entries.get(name);
        !self.builtin.contains(name) && meant.is_none_or(|entry| entry.is_over(now))
    }

    /// Whether a rule that no longer applies gave the name to a tool of this component.
    fn was_given(&self, component: &Metadata, name: &str) -> bool {
        self.of_component(component)
            .any(|(given, entry)| given == name && entry.renamed && entry.freed_at.is_some())
    }

    /// Returns the listed name that a tool has or had, except names given by rules.
    fn of_tool(&self, component: &Metadata, tool: &str) -> Option<(&String, &Entry)> {
        let mut entries = self.of_component(component);
        entries.find(|(name, entry)| {
            let is_own = entry.listed && !entry.renamed;
            entry.tool == tool && is_own && !self.builtin.contains(*name)
        })
    }

    fn of_component<'a, 'b>(
        &'a self,
        component: &'b Metadata,
    ) -> impl Iterator<Item = (&'a String, &'a Entry)> + use<'a, 'b> {
        let names = self.by_component.get(&component.component_id);
        let entries = names.into_iter().flatten();
        entries
            .filter_map(|name| self.entries.get_key_value(name))
            .filter(|(_, entry)| entry.source.same_source(&component.source))
    }
}

impl Entry {
    /// Whether its reservation has expired.
    fn is_over(&self, now: Timestamp) -> bool {
        self.freed_at
            .is_some_and(|freed| now.duration_since(freed) > RESERVED)
    }
}
