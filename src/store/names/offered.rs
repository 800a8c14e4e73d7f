//! What a component offers, as its names and the rules for its tools have it.

use super::{Names, ToolName};
use crate::schema::ToolRecord;
use crate::schema::rules::{Given, RuleFault};
use crate::store::Metadata;

/// The tools that a component offers. Only [`Names::offered`] makes it, so that
/// no list and no call passes by the rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offered {
    tools: Vec<OfferedTool>,
    /// Rules that cannot be carried out; their tools are not offered.
    pub faults: Vec<RuleFault>,
}

/// A tool that is offered.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedTool {
    /// Under its own name within the component, with the description and the
    /// arguments that agents see.
    pub record: ToolRecord,
    /// Arguments that the operator gives.
    pub given: Given,
    /// The name that a rule gives it.
    pub renamed: Option<String>,
    /// By which it is called: the listed one first.
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

    /// The names in the tool list.
    pub fn listed(&self) -> impl Iterator<Item = &str> {
        let names = self.tools.iter().flat_map(|tool| &tool.names);
        names.filter(|name| name.listed).map(|name| &*name.name)
    }
}

impl Names {
    /// What a component offers, by its names here and its rules.
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
            // Without a name, it cannot have the one that a rule gives it.
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
