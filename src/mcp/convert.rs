//! Between the service's types and MCP's.

use std::sync::Arc;

use rmcp::model::{CallToolResult, ContentBlock, MetaObject, Tool};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Diagnose, Report};
use crate::runtime::Returned;
use crate::schema::is_exact;
use crate::service::denied::{self, Denied};
use crate::toolbox;

/// Under this key of a result's `_meta`.
const DENIED: &str = "wassette/denied";

/// How a component's export looks in `tools/list`.
pub(super) fn tool(tool: &toolbox::Tool) -> Tool {
    Tool::new(
        tool.name.clone(),
        tool.description().to_owned(),
        Arc::new(tool.input_schema().clone()),
    )
    .with_raw_output_schema(Arc::new(tool.output_schema().clone()))
}

/// The result of a call that ran: `{"result": …}`, or the function's error
/// value, `{"error": …}`, with what was denied before it.
pub(super) fn outcome(outcome: Returned, denied: &[Denied]) -> CallToolResult {
    match outcome {
        Returned::Ok(value) => {
            let mut result = structured_value(json!({ "result": value }));
            // A function may have its own words for a failure; the result stays
            // what its schema says.
            if !denied.is_empty() {
                result.meta = Some(beside(denied));
            }
            result
        }
        Returned::Err(value) => {
            let mut told = json!({ "error": value });
            if !denied.is_empty() {
                told["denied"] = json!(denied);
                told["hint"] = json!(denied::hint(None, denied));
            }
            error(told)
        }
    }
}

/// What a call that ended well was denied, beside its result.
fn beside(denied: &[Denied]) -> MetaObject {
    let mut meta = MetaObject::default();
    meta.0.insert(DENIED.to_owned(), json!(denied));
    meta
}

/// The failure of a call: as [`failure`], with what was denied before it.
pub(super) fn failed_call(failure: &dyn Diagnose, denied: &[Denied]) -> CallToolResult {
    let mut report = Report::new(failure);
    report.hint = denied::hint(report.hint, denied);
    let mut told = json!(report);
    if !denied.is_empty() {
        told["denied"] = json!(denied);
    }
    error(told)
}

/// Data as structured content, with the same JSON as text for older clients.
pub(super) fn structured(data: &impl Serialize) -> CallToolResult {
    match serde_json::to_value(data) {
        Ok(value) => structured_value(value),
        // Our own types serialise; say so rather than end the process if one day not.
        Err(fault) => error(json!({ "code": "internal", "message": fault.to_string() })),
    }
}

fn structured_value(mut value: Value) -> CallToolResult {
    let text = ContentBlock::text(value.to_string());
    make_exact(&mut value);
    let mut result = CallToolResult::success(vec![text]);
    result.structured_content = Some(value);
    result
}

/// Clients in JavaScript read numbers as doubles: an integer that would come out
/// changed is a decimal text, as the output schema says. The text content keeps
/// the number.
fn make_exact(value: &mut Value) {
    match value {
        Value::Number(_) if !is_exact(value) => *value = value.to_string().into(),
        Value::Array(items) => items.iter_mut().for_each(make_exact),
        Value::Object(members) => members.values_mut().for_each(make_exact),
        _ => {}
    }
}

/// A failure the agent should read: `{code, message, causes, hint}`.
pub(super) fn failure(failure: &dyn Diagnose) -> CallToolResult {
    error(json!(Report::new(failure)))
}

/// Text only. The TypeScript SDK checks structured content against the tool's
/// output schema even when `isError` is set, and would turn the error into
/// another one; neither it nor the Python SDK wants any there.
fn error(value: Value) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(value.to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(result: CallToolResult) -> Value {
        serde_json::to_value(result).unwrap()
    }

    #[test]
    fn a_value_is_structured_and_text() {
        let wire = wire(outcome(Returned::Ok(json!(3)), &[]));
        assert_eq!(wire["structuredContent"], json!({ "result": 3 }));
        assert_eq!(wire["content"][0]["text"], r#"{"result":3}"#);
        assert_eq!(wire["isError"], false);
    }

    #[test]
    fn integers_survive_clients_whose_numbers_are_doubles() {
        let (most, least) = (u64::MAX, i64::MIN);
        let exact = 9_007_199_254_740_991_u64;
        let value = json!({ "a": [most, least, exact, 1e300, -5], "b": exact + 1 });
        let wire = wire(outcome(Returned::Ok(value), &[]));
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
        let wire = wire(outcome(Returned::Err(json!("division by zero")), &[]));
        assert_eq!(wire["isError"], true);
        assert_eq!(
            wire["content"][0]["text"],
            r#"{"error":"division by zero"}"#
        );
        assert_eq!(wire.get("structuredContent"), None);
    }
}
