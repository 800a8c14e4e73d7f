//! The answer of `load-component`: what was loaded, and how to call its tools.
//!
//! Many clients read the tool list only once. The model learns about a new tool from
//! this answer and calls it with `call-tool`.

use rmcp::model::Tool;
use serde::Serialize;
use serde_json::{Value, json};

use crate::service::LoadOutcome;
use crate::service::denied::Grant;
use crate::toolbox::Toolbox;

use super::super::convert;

/// Most bytes of tool definitions in an answer.
const MAX_DEFINITIONS: usize = 64 * 1024;

/// Most grant commands that an answer spells out.
const HINTED: usize = 3;

const HOW_TO_CALL: &str = "Call each tool by its name; if your tool list does not show it, with \
`call-tool` and its `name` and `arguments`.";

#[derive(Serialize)]
pub(super) struct Loaded {
    #[serde(flatten)]
    outcome: LoadOutcome,
    /// The tools as in `tools/list`, without their output schemas.
    tools: Vec<Value>,
    how_to_call: &'static str,
    /// The reason why nothing was granted, if the user was asked and did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    unanswered: Option<String>,
}

impl Loaded {
    /// `fault` is the reason why the user's answer is missing.
    pub(super) fn of(outcome: LoadOutcome, toolbox: &Toolbox, fault: Option<String>) -> Self {
        let names = outcome.tool_names.iter();
        // Another process may have unloaded the component since; its tools are left
        // out.
        let tools = names.filter_map(|name| toolbox.get(name));
        let id = &outcome.component_id;
        let unanswered = fault.map(|fault| {
            let lacking = outcome.not_granted.iter();
            let grants = lacking.map(|it| Grant::new(id, it.permission.clone()).command());
            let commands: Vec<String> = grants.take(HINTED).collect();
            format!(
                "The user was asked, and no answer came back: {fault}. Nothing was granted; if \
                 the user wants this, they can run `{}`",
                commands.join("` and `")
            )
        });
        Loaded {
            unanswered,
            tools: bounded(tools.map(|tool| convert::tool(&tool))),
            outcome,
            how_to_call: HOW_TO_CALL,
        }
    }
}

/// Full definitions up to the limit, and only names after that.
fn bounded(tools: impl Iterator<Item = Tool>) -> Vec<Value> {
    let mut left = MAX_DEFINITIONS;
    let shown = |mut tool: Tool| {
        tool.output_schema = None;
        let definition = json!(tool);
        match left.checked_sub(definition.to_string().len()) {
            Some(rest) => {
                left = rest;
                definition
            }
            None => {
                left = 0;
                json!({ "name": tool.name })
            }
        }
    };
    tools.map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn definitions_are_shown_up_to_a_bound_and_names_after_it() {
        let tool = |n: usize| Tool::new(format!("t{n}"), "x".repeat(1000), Arc::default());
        let shown = bounded((0..100).map(tool));
        assert_eq!(shown.len(), 100);
        assert!(json!(shown).to_string().len() < MAX_DEFINITIONS + 4096);
        assert!(shown[0]["inputSchema"].is_object());
        assert_eq!(shown[99], json!({ "name": "t99" }));
    }
}
