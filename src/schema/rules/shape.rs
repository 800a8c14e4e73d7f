//! Applies rules to the tools of a component.

use serde_json::Value;

use super::fit::misfit;
use super::{Arguments, Given, Problem, RuleFault, ToolRules, is_tool_name};
use crate::reference::ComponentId;
use crate::schema::names::MAX_LENGTH;
use crate::schema::{NameLength, ToolRecord};

/// The tools of a component after applying rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shaped {
    /// The tools that are offered.
    pub tools: Vec<RuledTool>,
    pub faults: Vec<RuleFault>,
}

/// A tool after applying rules.
#[derive(Debug, Clone, PartialEq)]
pub struct RuledTool {
    /// The tool by its own name within the component, with the description and the arguments that
    /// agents see.
    pub record: ToolRecord,
    /// The name that a rule gives it.
    pub renamed: Option<String>,
    pub given: Given,
}

impl ToolRules {
    /// Applies the rules. A tool whose rules cannot be applied is left out: otherwise it would
    /// have other arguments, or another name, than the operator wants.
    pub fn shape(&self, tools: &[ToolRecord]) -> Shaped {
        let mut faults = self.faults(tools);
        let mut shaped = Vec::new();
        for tool in tools {
            let own = &tool.normalized_name;
            if !self.offers(own) || faults.iter().any(|fault| fault.tool == *own) {
                continue;
            }
            match self.shape_one(tool) {
                Ok(tool) => shaped.push(tool),
                Err(reason) => faults.push(RuleFault {
                    rule: "defaults",
                    tool: own.clone(),
                    problem: Problem::TooLarge { reason },
                }),
            }
        }
        Shaped {
            tools: shaped,
            faults,
        }
    }

    /// Returns the definitions of the offered tools, under the names that the rules give them.
    pub fn definitions(&self, component: &ComponentId, tools: &[ToolRecord]) -> Vec<ToolRecord> {
        let rules = self.resolved(component, tools, NameLength::default());
        let tools = rules.shape(tools).tools.into_iter().map(|tool| {
            let mut record = tool.record;
            if let Some(name) = tool.renamed {
                record.normalized_name = name;
            }
            record
        });
        tools.collect()
    }

    /// Returns the rules that cannot be applied to these tools, as far as this is known without
    /// other components.
    pub fn faults(&self, tools: &[ToolRecord]) -> Vec<RuleFault> {
        let known: Vec<&str> = tools.iter().map(|tool| &*tool.normalized_name).collect();
        let mut faults = Vec::new();
        for (rule, names) in self.named() {
            let strange = names.filter(|name| !known.contains(name));
            faults.extend(strange.map(|name| RuleFault::no_tool(rule, name, &known)));
        }
        for (own, name) in &self.rename {
            if !is_tool_name(name) {
                faults.push(RuleFault::name(own, name, MAX_LENGTH));
            } else if let Some(by) = self.other_of_name(own, name, &known) {
                faults.push(RuleFault::taken(own, name, format!("the tool `{by}`")));
            }
        }
        for tool in tools {
            for (rule, all) in [("defaults", &self.defaults), ("fixed", &self.fixed)] {
                if let Some(arguments) = all.get(&tool.normalized_name) {
                    faults.extend(arguments_faults(rule, tool, arguments));
                }
            }
        }
        faults
    }

    /// Returns the names of tools in each rule.
    fn named(&self) -> [(&'static str, Box<dyn Iterator<Item = &str> + '_>); 6] {
        let allow = self.allow.iter().flatten();
        [
            ("allow", Box::new(allow.map(String::as_str))),
            ("deny", Box::new(self.deny.iter().map(String::as_str))),
            ("rename", Box::new(self.rename.keys().map(String::as_str))),
            (
                "describe",
                Box::new(self.describe.keys().map(String::as_str)),
            ),
            (
                "defaults",
                Box::new(self.defaults.keys().map(String::as_str)),
            ),
            ("fixed", Box::new(self.fixed.keys().map(String::as_str))),
        ]
    }

    /// Returns another tool that is offered under the name that this one would get.
    fn other_of_name<'a>(&'a self, own: &str, name: &str, known: &[&'a str]) -> Option<&'a str> {
        let offered_as = |tool: &'a str| self.rename.get(tool).map_or(tool, String::as_str);
        let mut others = known.iter().copied().filter(|tool| *tool != own);
        others.find(|tool| self.offers(tool) && offered_as(tool) == name)
    }

    fn shape_one(&self, tool: &ToolRecord) -> Result<RuledTool, String> {
        let own = &tool.normalized_name;
        let mut record = tool.clone();
        if let Some(description) = self.describe.get(own) {
            record.description.clone_from(description);
        }
        let mut given = Given {
            defaults: self.defaults.get(own).cloned().unwrap_or_default(),
            fixed: self.fixed.get(own).cloned().unwrap_or_default(),
        };
        given
            .defaults
            .retain(|name, _| !given.fixed.contains_key(name));
        if !given.is_empty() {
            let schema = &mut record.input_schema;
            if let Some(Value::Array(required)) = schema.get_mut("required") {
                let is_given = |name: &str| {
                    given.defaults.contains_key(name) || given.fixed.contains_key(name)
                };
                required.retain(|name| !name.as_str().is_some_and(is_given));
            }
            if let Some(Value::Object(properties)) = schema.get_mut("properties") {
                properties.retain(|name, _| !given.fixed.contains_key(name));
                for (name, value) in &given.defaults {
                    if let Some(Value::Object(property)) = properties.get_mut(name) {
                        property.insert("default".into(), value.clone());
                    }
                }
            }
        }
        if self.describe.contains_key(own) || !given.is_empty() {
            record.make_fit()?;
        }
        Ok(RuledTool {
            renamed: self.rename.get(own).cloned(),
            record,
            given,
        })
    }
}

fn arguments_faults(
    rule: &'static str,
    tool: &ToolRecord,
    arguments: &Arguments,
) -> Vec<RuleFault> {
    let properties = tool
        .input_schema
        .get("properties")
        .and_then(Value::as_object);
    let known: Vec<&str> = properties
        .into_iter()
        .flat_map(|all| all.keys())
        .map(String::as_str)
        .collect();
    let own = &tool.normalized_name;
    let faults = arguments.iter().filter_map(|(argument, value)| {
        let Some(schema) = properties.and_then(|all| all.get(argument)) else {
            return Some(RuleFault::no_argument(rule, own, argument, &known));
        };
        let required = tool.input_schema.get("required").and_then(Value::as_array);
        let is_required = required.is_some_and(|all| all.iter().any(|name| name == argument));
        // An optional argument may be `null`.
        if value.is_null() && !is_required {
            return None;
        }
        misfit(value, schema).map(|reason| RuleFault {
            rule,
            tool: own.clone(),
            problem: Problem::Value {
                argument: argument.clone(),
                reason,
            },
        })
    });
    faults.collect()
}
