//! The differences between two sets of rules, tool by tool.

use serde::Serialize;
use serde_json::Value;

use super::{Arguments, ToolRules};
use crate::schema::ToolRecord;

/// The effect of a change of the rules on one tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleChange {
    /// The name of the tool within the component.
    pub tool: String,
    #[serde(flatten)]
    pub effect: RuleEffect,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum RuleEffect {
    Hidden,
    /// It was hidden before.
    Offered,
    /// Without a name, the tool gets its own name back.
    Renamed {
        name: Option<String>,
    },
    /// Without a description, the tool gets its own back.
    Described {
        description: Option<String>,
    },
    /// Without a value, agents must give the argument again.
    Default {
        argument: String,
        value: Option<Value>,
    },
    /// The value may be confidential and is not shown.
    Fixed {
        argument: String,
    },
    NoLongerFixed {
        argument: String,
    },
}

impl ToolRules {
    /// Returns the changes that `now` makes to these tools.
    pub fn changes_to(&self, now: &ToolRules, tools: &[ToolRecord]) -> Vec<RuleChange> {
        let changes = tools.iter().flat_map(|tool| {
            let own = &tool.normalized_name;
            let effects = self.effects_of(now, own).into_iter();
            effects.map(|effect| RuleChange {
                tool: own.clone(),
                effect,
            })
        });
        changes.collect()
    }

    fn effects_of(&self, now: &ToolRules, tool: &str) -> Vec<RuleEffect> {
        let mut effects = Vec::new();
        match (self.offers(tool), now.offers(tool)) {
            (false, false) => return effects,
            (true, false) => return vec![RuleEffect::Hidden],
            (false, true) => effects.push(RuleEffect::Offered),
            (true, true) => {}
        }
        let name = now.rename.get(tool);
        if self.rename.get(tool) != name {
            effects.push(RuleEffect::Renamed {
                name: name.cloned(),
            });
        }
        let description = now.describe.get(tool);
        if self.describe.get(tool) != description {
            effects.push(RuleEffect::Described {
                description: description.cloned(),
            });
        }
        let none = Arguments::new();
        let of = |rules: &'_ std::collections::BTreeMap<String, Arguments>| {
            rules.get(tool).unwrap_or(&none).clone()
        };
        for (argument, value) in differing(&of(&self.defaults), &of(&now.defaults)) {
            effects.push(RuleEffect::Default { argument, value });
        }
        for (argument, value) in differing(&of(&self.fixed), &of(&now.fixed)) {
            effects.push(match value {
                Some(_) => RuleEffect::Fixed { argument },
                None => RuleEffect::NoLongerFixed { argument },
            });
        }
        effects
    }
}

/// Returns the arguments that differ, with their new values.
fn differing(before: &Arguments, now: &Arguments) -> Vec<(String, Option<Value>)> {
    let changed = now
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value));
    let changed = changed.map(|(name, value)| (name.clone(), Some(value.clone())));
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changed
        .chain(gone.map(|name| (name.clone(), None)))
        .collect()
}
