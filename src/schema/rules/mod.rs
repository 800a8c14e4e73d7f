//! Rules for the tools of a component: which of them are offered, their names and descriptions,
//! and arguments that the operator sets in advance.
//!
//! [`ToolRules`] is the written form, in a manifest and in `config.toml`. Only
//! [`ToolRules::shape`] applies it: a tool that it leaves out is not listed and cannot be called
//! by any name.

mod change;
mod fault;
mod fit;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::names::{MAX_LENGTH, NameLength, shorten_name};
use super::{Spellings, ToolRecord, property_name};
use crate::reference::ComponentId;

pub use change::{RuleChange, RuleEffect};
pub use fault::{Problem, RuleFault};
pub use shape::{RuledTool, Shaped};

/// Values of arguments, by their names in the tool's schema.
pub type Arguments = Map<String, Value>;

/// Rules for the tools of one component. Every key that names a tool is the name
/// that `inspect` shows before any renaming.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ToolRules {
    /// The only tools that are offered. If absent, all are; `[]` offers none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<BTreeSet<String>>,
    /// Tools that are not offered, even if `allow` names them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub deny: BTreeSet<String>,
    /// The names under which tools are offered instead of their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Descriptions in place of the component's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub describe: BTreeMap<String, String>,
    /// For each tool, arguments that are sent when a call does not give them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub defaults: BTreeMap<String, Arguments>,
    /// For each tool, arguments that are always sent; agents neither see nor
    /// give them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed: BTreeMap<String, Arguments>,
}

/// Arguments of a tool that the operator sets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    defaults: Arguments,
    fixed: Arguments,
}

/// A call has an argument that the operator has fixed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The tool has no argument `{name}`")]
pub struct FixedArgument {
    pub name: String,
}

impl ToolRules {
    /// Returns rules that offer no tool, for when the rules cannot be read.
    pub fn nothing() -> Self {
        ToolRules {
            allow: Some(BTreeSet::new()),
            ..ToolRules::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == ToolRules::default()
    }

    /// Whether the tool of this name is offered.
    pub fn offers(&self, tool: &str) -> bool {
        let is_allowed = self.allow.as_ref().is_none_or(|only| only.contains(tool));
        is_allowed && !self.deny.contains(tool)
    }

    /// Combines two sets of rules: a tool is offered if both offer it. Where both have a rule for
    /// the same tool, `local` wins.
    #[must_use]
    pub fn and(mut self, local: ToolRules) -> Self {
        self.allow = match (self.allow, local.allow) {
            (Some(one), Some(other)) => Some(one.intersection(&other).cloned().collect()),
            (one, other) => one.or(other),
        };
        self.deny.extend(local.deny);
        self.rename.extend(local.rename);
        self.describe.extend(local.describe);
        for (tool, arguments) in local.defaults {
            self.defaults.entry(tool).or_default().extend(arguments);
        }
        for (tool, arguments) in local.fixed {
            self.fixed.entry(tool).or_default().extend(arguments);
        }
        self
    }

    /// Returns the same rules with the tools' names within the component. `inspect` shows the
    /// tools of an installed component by the names that they are offered under: shortened to
    /// `length`, or prefixed with the component's id.
    #[must_use]
    pub fn resolved(
        &self,
        component: &ComponentId,
        tools: &[ToolRecord],
        length: NameLength,
    ) -> Self {
        let is_shown_as = |tool: &ToolRecord, key: &str| {
            let own = &tool.normalized_name;
            shorten_name(own, length) == key
                || shorten_name(&format!("{component}_{own}"), length) == key
        };
        let own = |key: &String| {
            let mut tools = tools.iter();
            if tools.clone().any(|tool| tool.normalized_name == *key) {
                return key.clone();
            }
            let meant = tools.find(|tool| is_shown_as(tool, key));
            meant.map_or_else(|| key.clone(), |tool| tool.normalized_name.clone())
        };
        fn by<T: Clone>(
            map: &BTreeMap<String, T>,
            own: impl Fn(&String) -> String,
        ) -> BTreeMap<String, T> {
            map.iter().map(|(key, it)| (own(key), it.clone())).collect()
        }
        ToolRules {
            allow: self.allow.as_ref().map(|set| set.iter().map(own).collect()),
            deny: self.deny.iter().map(own).collect(),
            rename: by(&self.rename, own),
            describe: by(&self.describe, own),
            defaults: by(&self.defaults, own),
            fixed: by(&self.fixed, own),
        }
    }
}

impl Given {
    /// Adds the operator's arguments to those of a call. `declared` are the names of
    /// the tool's other arguments.
    ///
    /// # Errors
    ///
    /// [`FixedArgument`] when the call has another value for a fixed argument.
    pub fn complete<'n>(
        &'n self,
        arguments: &mut Arguments,
        declared: impl Iterator<Item = &'n str>,
    ) -> Result<(), FixedArgument> {
        let names: BTreeSet<&str> = declared
            .chain(self.fixed.keys().map(|name| &**name))
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let spellings = Spellings::new(&names);
        // An argument may also be passed under its long name or in another spelling.
        let is = |name: &str, key: &str| {
            let meant = || spellings.meant(name).map(|index| names[index]);
            name == key
                || *property_name(name) == *key
                || !names.contains(&name) && meant() == Some(key)
        };
        for (name, value) in &self.fixed {
            let differs = |(given, with): &(&String, &Value)| is(given, name) && *with != value;
            if let Some((given, _)) = arguments.iter().find(differs) {
                return Err(FixedArgument {
                    name: given.clone(),
                });
            }
            arguments.retain(|given, _| !is(given, name));
            arguments.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.defaults {
            // Clients whose models must send every argument send `null`.
            arguments.retain(|given, with| !(with.is_null() && is(given, name)));
            if !arguments.keys().any(|given| is(given, name)) {
                arguments.insert(name.clone(), value.clone());
            }
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.defaults.is_empty() && self.fixed.is_empty()
    }
}

/// Whether the text is a valid tool name: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`.
pub fn is_tool_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=MAX_LENGTH).contains(&name.len()) && name.chars().all(allowed)
}
