//! The tools that a component offers, after naming and tool rules.

use super::{Names, ToolName};
use crate::schema::ToolRecord;
use crate::schema::rules::{Given, RuleFault};
use crate::store::Metadata;

/// The tools that a component offers. Only [`Names::offered`] creates it, so that no list and no
/// call bypasses the rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offered {
    tools: Vec<OfferedTool>,
    /// Rules that cannot be applied; their tools are not offered.
    pub faults: Vec<RuleFault>,
}

/// An offered tool.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTool {
    /// The tool by its own name within the component, with the description and the arguments that
    /// agents see.
    pub record: ToolRecord,
    /// The arguments that the operator sets.
    pub given: Given,
    /// The name that a rule gives it.
    pub renamed: Option<String>,
    /// The names by which it can be called, the listed one first.
    pub names: Vec<ToolName>,
}

impl Offered {
    pub fn tools(&self) -> &[OfferedTool] {
        &self.tools
    }

    pub fn into_tools(self) -> Vec<OfferedTool> {
        self.tools
    }

    #[cfg(test)]
    pub fn of(tools: Vec<OfferedTool>) -> Self {
        let faults = Vec::new();
        Offered { tools, faults }
    }

    /// Returns the names in the tool list.
    pub fn listed(&self) -> impl Iterator<Item = &str> {
        let names = self.tools.iter().flat_map(|tool| &tool.names);
        names.filter(|name| name.listed).map(|name| &*name.name)
    }
}

impl Names {
    /// Returns the tools that a component offers under these names and its rules.
    pub fn offered(&self, component: &Metadata) -> Offered {
        let rules = self.rules.get(&component.component_id).cloned();
        let rules = rules.unwrap_or_default();
        let shaped = rules.shape(&component.tools);
        let (names, mut faults) = (self.of(component), shaped.faults);
        let mut tools = Vec::new();
        for tool in shaped.tools {
            let own = &tool.record.normalized_name;
            let names = names.iter().filter(|name| name.tool == *own);
            let names: Vec<ToolName> = names.cloned().collect();
            // The name that a rule gives it is not possible, so it is not offered.
            if !names.is_empty() {
                tools.push(OfferedTool {
                    record: tool.record,
                    given: tool.given,
                    renamed: tool.renamed,
                    names,
                });
            }
        }
        let impossible = self.faults.get(&component.component_id);
        faults.extend(impossible.into_iter().flatten().cloned());
        Offered { tools, faults }
    }
}
