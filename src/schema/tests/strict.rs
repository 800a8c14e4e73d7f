//! The rules of the strictest readers of tools: what one of them refuses costs
//! its user the whole list. Unit and integration tests share this file.

use serde_json::{Map, Value, json};

/// What Claude's clients put before a name, of which providers take 64 characters.
const CLIENT_PREFIX: &str = "mcp__wassette__";
/// Cursor drops a tool whose name has this many together with its server's.
const CURSOR: usize = 60;
/// The largest integer that is exact as a double.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// Checks a tool as `tools/list` has it.
///
/// # Panics
///
/// When a reader would refuse it.
pub fn check_tool(tool: &Value) {
    let name = tool["name"].as_str().unwrap();
    let whole = format!("{CLIENT_PREFIX}{name}");
    assert!(is_name(&whole), "{whole} is no name for a provider");
    assert!("wassette".len() + name.len() < CURSOR, "{name}");
    assert!(!tool["description"].as_str().unwrap().is_empty(), "{name}");
    check_root(&tool["inputSchema"], name);
    if let Some(schema) = tool.get("outputSchema") {
        check_root(schema, name);
    }
}

/// Checks what a tool answered in structured content, by its output schema.
///
/// # Panics
///
/// When a reader would refuse it, or read something else.
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

/// Checks a schema that describes an object, such as that of arguments.
fn check_root(schema: &Value, place: &str) {
    assert!(
        jsonschema::draft202012::meta::is_valid(schema),
        "{place}: {schema}"
    );
    assert!(
        jsonschema::draft7::meta::is_valid(schema),
        "{place}: {schema}"
    );
    assert_eq!(schema["type"], "object", "{place}");
    assert!(schema["properties"].is_object(), "{place}: {schema}");
    // OpenAI and Anthropic refuse these at the top.
    for word in ["oneOf", "anyOf", "allOf", "not", "if", "enum"] {
        assert!(schema.get(word).is_none(), "{place}: {word}");
    }
    check_schema(schema, place);
    survives_javascript(schema);
}

fn check_schema(schema: &Value, place: &str) {
    let Some(object) = schema.as_object() else {
        panic!("{place}: {schema} is no object");
    };
    // No reader of draft-07, nor every provider, knows the others.
    let known = [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "anyOf",
        "enum",
        "description",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "contentEncoding",
    ];
    for word in object.keys() {
        assert!(
            known.contains(&word.as_str()),
            "{place}: `{word}` in {schema}"
        );
    }
    if let Some(kind) = object.get("type") {
        assert!(kind.is_string(), "{place}: several types in {schema}");
    }
    if object.get("type") == Some(&json!("array")) {
        // VS Code throws, the TypeScript SDK refuses every item.
        assert!(schema["items"].is_object(), "{place}: {schema}");
    }
    let none = Map::new();
    let properties = object.get("properties").and_then(Value::as_object);
    let properties = properties.unwrap_or(&none);
    for (name, property) in properties {
        assert!(is_property(name), "{place}: the property {name}");
        check_schema(property, &format!("{place}.{name}"));
    }
    for name in object
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        assert!(
            properties.contains_key(name.as_str().unwrap()),
            "{place}: {name}"
        );
    }
    for word in ["items", "additionalProperties"] {
        if let Some(inner) = object.get(word).filter(|inner| !inner.is_boolean()) {
            check_schema(inner, &format!("{place}.{word}"));
        }
    }
    for choice in object
        .get("anyOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        check_schema(choice, place);
    }
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

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

fn is_property(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}
