//! Converts between the service's types and those of MCP.

use std::sync::Arc;

use rmcp::model::{CallToolResult, ContentBlock, MetaObject, Tool, ToolAnnotations};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::error::{Diagnose, Report};
use crate::runtime::Returned;
use crate::schema::{Reach, make_exact};
use crate::service::denied::Denied;
use crate::toolbox;

use super::denials;
use super::extras::Tolerated;
use super::offer::Offer;

/// Keys in a result's `_meta`.
const DENIED: &str = "wassette/denied";
const IGNORED: &str = "wassette/ignored-arguments";
const RESPELLED: &str = "wassette/respelled-arguments";

/// The `tools/list` entry of a component's export.
pub(super) fn tool(tool: &toolbox::Tool) -> Tool {
    Tool::new(
        tool.name.clone(),
        tool.description().to_owned(),
        Arc::new(tool.input_schema().clone()),
    )
    .with_raw_output_schema(Arc::new(tool.output_schema().clone()))
    .with_annotations(annotations(tool.reach))
}

/// Without hints, clients assume that every tool is destructive and reaches the
/// network.
fn annotations(reach: Reach) -> ToolAnnotations {
    let changes = reach != Reach::NONE;
    ToolAnnotations::new()
        .read_only(!changes)
        .destructive(changes)
        .open_world(reach.connects)
}

/// The denials of a call, and whether agents may grant permissions.
#[derive(Clone, Copy)]
pub(super) struct Denials<'a> {
    pub denied: &'a [Denied],
    pub offer: Offer,
}

impl Denials<'_> {
    fn told(self) -> Option<Value> {
        (!self.denied.is_empty()).then(|| denials::told(self.denied, self.offer))
    }

    fn hint(self, of_error: Option<String>) -> Option<String> {
        denials::hint(of_error, self.denied, self.offer)
    }
}

/// The result of a completed call: `{"result": …}`, or `{"error": …}` if the function returned an
/// error, together with the denials.
pub(super) fn outcome(outcome: Returned, denials: Denials) -> CallToolResult {
    match outcome {
        Returned::Ok(value) => {
            let mut result = structured_value(json!({ "result": value }));
            // A function may report a failure in its own way, so denials go to
            // `_meta`, and the result stays as its schema says.
            if let Some(denied) = denials.told() {
                note(&mut result, DENIED, denied);
            }
            result
        }
        Returned::Err(value) => {
            let mut told = json!({ "error": value });
            if let Some(denied) = denials.told() {
                told["denied"] = denied;
                told["hint"] = json!(denials.hint(None));
            }
            error(told)
        }
    }
}

/// Lists in `_meta` the arguments that were ignored, and the names that were taken for
/// others.
pub(super) fn note_tolerated(result: &mut CallToolResult, tolerated: Tolerated) {
    if !tolerated.ignored.is_empty() {
        note(result, IGNORED, tolerated.ignored.into());
    }
    if !tolerated.respelled.is_empty() {
        let names = tolerated.respelled.into_iter();
        let names: Map<String, Value> = names.map(|it| (it.path, it.name.into())).collect();
        note(result, RESPELLED, names.into());
    }
}

/// Adds an entry to a result's `_meta`.
fn note(result: &mut CallToolResult, key: &str, value: Value) {
    let meta = result.meta.get_or_insert_with(MetaObject::default);
    meta.0.insert(key.to_owned(), value);
}

/// The failure of a call: like [`failure`], with the denials.
pub(super) fn failed_call(failure: &dyn Diagnose, denials: Denials) -> CallToolResult {
    let mut report = Report::new(failure);
    report.hint = denials.hint(report.hint);
    let mut told = json!(report);
    if let Some(denied) = denials.told() {
        told["denied"] = denied;
    }
    error(told)
}

/// Data as structured content, with the same JSON as text for older clients.
pub(super) fn structured(data: &impl Serialize) -> CallToolResult {
    match serde_json::to_value(data) {
        Ok(value) => structured_value(value),
        // Our own types always serialise; if one ever did not, report it and do not
        // panic.
        Err(fault) => error(json!({ "code": "internal", "message": fault.to_string() })),
    }
}

/// The text keeps numbers unchanged; in the structured content, [`make_exact`] adapts
/// them for programs.
fn structured_value(mut value: Value) -> CallToolResult {
    let text = ContentBlock::text(value.to_string());
    make_exact(&mut value);
    let mut result = CallToolResult::success(vec![text]);
    result.structured_content = Some(value);
    result
}

/// A failure that the agent should read: `{code, message, causes, hint}`.
pub(super) fn failure(failure: &dyn Diagnose) -> CallToolResult {
    error(json!(Report::new(failure)))
}

/// Sent as text only. The TypeScript SDK checks structured content against the tool's
/// output schema even when `isError` is set, and would replace the error by another
/// one.
fn error(value: Value) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(value.to_string())])
}

#[cfg(test)]
mod tests {
    use super::super::offer::{Builtins, CallTool, Changes, Grants};
    use super::*;

    const NONE: Denials = Denials {
        denied: &[],
        offer: Offer {
            builtins: Builtins::Offered,
            changes: Changes::Allowed,
            grants: Grants::Allowed,
            call_tool: CallTool::Offered,
        },
    };

    fn wire(result: CallToolResult) -> Value {
        serde_json::to_value(result).unwrap()
    }

    #[test]
    fn a_value_is_structured_and_text() {
        let wire = wire(outcome(Returned::Ok(json!(3)), NONE));
        assert_eq!(wire["structuredContent"], json!({ "result": 3 }));
        assert_eq!(wire["content"][0]["text"], r#"{"result":3}"#);
        assert_eq!(wire["isError"], false);
    }

    #[test]
    fn integers_survive_clients_whose_numbers_are_doubles() {
        let (most, least) = (u64::MAX, i64::MIN);
        let exact = 9_007_199_254_740_991_u64;
        let value = json!({ "a": [most, least, exact, 1e300, -5], "b": exact + 1 });
        let wire = wire(outcome(Returned::Ok(value), NONE));
        let expected = json!({
            "a": [most.to_string(), least.to_string(), exact, 1e300, -5],
            "b": "9007199254740992",
        });
        assert_eq!(wire["structuredContent"]["result"], expected);
        let text = wire["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(&format!("[{most},{least},")), "{text}");
    }

    #[test]
    fn an_error_value_is_text_only() {
        let wire = wire(outcome(Returned::Err(json!("division by zero")), NONE));
        assert_eq!(wire["isError"], true);
        assert_eq!(
            wire["content"][0]["text"],
            r#"{"error":"division by zero"}"#
        );
        assert_eq!(wire.get("structuredContent"), None);
    }
}
