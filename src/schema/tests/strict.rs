//! Checks tools and results by the rules of the strictest clients, and with JSON Schema
//! validators. Unit and integration tests share this file.

use serde_json::{Map, Value};

use super::ListedTool;

/// Largest integer that is exact as a double.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// Checks a tool as listed by `tools/list`.
///
/// # Panics
///
/// When a client would reject it.
pub fn check_tool(tool: &Value) {
    let schema = |key: &str| -> Option<&Map<String, Value>> { tool.get(key)?.as_object() };
    let listed = ListedTool {
        name: tool["name"].as_str().unwrap(),
        description: tool["description"].as_str().unwrap(),
        input_schema: schema("inputSchema").unwrap(),
        output_schema: schema("outputSchema"),
    };
    assert_eq!(listed.faults(), [""; 0], "{tool}");
    for key in ["inputSchema", "outputSchema"] {
        let Some(schema) = tool.get(key) else {
            continue;
        };
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{schema}");
        assert!(jsonschema::draft7::meta::is_valid(schema), "{schema}");
    }
}

/// Checks the structured content of a tool's answer against its output schema.
///
/// # Panics
///
/// When a client would reject it, or read another value.
pub fn check_result(schema: &Value, content: &Value) {
    assert!(
        jsonschema::draft202012::is_valid(schema, content),
        "{content} by {schema}"
    );
    assert!(
        jsonschema::draft7::is_valid(schema, content),
        "{content} by {schema}"
    );
    survives_javascript(content);
}

/// `JSON.parse` reads numbers as doubles.
fn survives_javascript(value: &Value) {
    match value {
        Value::Number(number) if !number.is_f64() => {
            let size = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            assert!(
                size.unwrap() <= MAX_EXACT,
                "{number} is read as another number"
            );
        }
        Value::Array(items) => items.iter().for_each(survives_javascript),
        Value::Object(members) => members.values().for_each(survives_javascript),
        _ => {}
    }
}
