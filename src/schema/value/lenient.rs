//! Accepts common deviations of clients and models from the schema.
//!
//! Each rule applies only if the input would otherwise be an error: a string is
//! taken for a number only where strings are not allowed.

use serde_json::{Number, Value};

/// Parses a string that contains a JSON object or array.
pub fn structure(text: &str) -> Option<Value> {
    let json: Value = match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => serde_json::from_str(text).ok()?,
        _ => return None,
    };
    Some(json)
}

/// Parses a string of decimal digits; `5.0` is an integer too.
pub fn integer(text: &str) -> Option<i128> {
    let text = match text.split_once('.') {
        Some((whole, rest)) if !rest.is_empty() && rest.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Parses a string that contains a JSON number.
pub fn number(text: &str) -> Option<Number> {
    let starts = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let ends = text.ends_with(|last: char| last.is_ascii_digit());
    (starts && ends)
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

/// Parses `"true"` and `"false"`, also as Python (`True`) and others write them.
pub fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    match (is("true"), is("false")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Whether the value is `[]`, which some languages send for an empty object.
pub fn is_empty_object(json: &Value) -> bool {
    json.as_array().is_some_and(Vec::is_empty)
}

/// Upper bound of the memory that [`structure`] takes for a text of this
/// length. `[0],` is four bytes of text, and becomes an array whose first
/// allocation has room for four values.
pub fn structure_cost(text: &str) -> usize {
    const PER_BYTE: usize = 128;
    text.len().saturating_mul(PER_BYTE)
}

/// Applies these rules to a JSON document according to its JSON Schema.
///
/// Considers the keywords `type`, `properties`, `required`, `items` and
/// `anyOf`. It does not validate.
pub fn settle(json: &mut Value, schema: &Value) {
    let allows = |kind: &str| allows(schema, kind);
    if !allows("string")
        && let Value::String(text) = json
        && let Some(meant) = meant(text, &allows)
    {
        *json = meant;
    }
    if allows("object") && !allows("array") && is_empty_object(json) {
        *json = Value::Object(serde_json::Map::new());
    }
    match json {
        Value::Object(members) => {
            let required = schema["required"].as_array();
            let optional =
                |name: &str| !required.is_some_and(|names| names.iter().any(|n| n == name));
            // Drop `null` for an optional member, unless its schema allows
            // `null`.
            members.retain(|name, member| {
                let known = schema["properties"].get(name);
                let absent = member.is_null()
                    && optional(name)
                    && known.is_some_and(|schema| !self::allows(schema, "null"));
                !absent
            });
            for (name, member) in members {
                if let Some(schema) = schema["properties"].get(name) {
                    settle(member, schema);
                }
            }
        }
        Value::Array(items) if schema["items"].is_object() => {
            items
                .iter_mut()
                .for_each(|item| settle(item, &schema["items"]));
        }
        _ => {}
    }
}

fn meant(text: &str, allows: &dyn Fn(&str) -> bool) -> Option<Value> {
    if allows("boolean")
        && let Some(value) = boolean(text)
    {
        return Some(value.into());
    }
    if allows("integer")
        && let Some(value) = integer(text)
    {
        return serde_json::to_value(value).ok();
    }
    if allows("number")
        && let Some(value) = number(text)
    {
        return Some(value.into());
    }
    structure(text).filter(|value| allows(if value.is_object() { "object" } else { "array" }))
}

/// Whether the schema allows this type.
fn allows(schema: &Value, kind: &str) -> bool {
    let named = match &schema["type"] {
        Value::String(name) => name == kind,
        Value::Array(names) => names.iter().any(|name| name == kind),
        _ => false,
    };
    let any = schema["anyOf"].as_array();
    named || any.is_some_and(|any| any.iter().any(|schema| allows(schema, kind)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_settled_by_their_schema() {
        let schema = json!({
            "type": "object",
            "required": ["details"],
            "properties": {
                "details": { "type": "object", "properties": { "port": { "type": "integer" } } },
                "hosts": { "type": "array", "items": { "type": "boolean" } },
                "name": { "type": "string" },
                "limit": { "anyOf": [{ "type": "number" }, { "type": "null" }] },
                "env": { "type": "object" },
                "note": { "type": "string" }
            }
        });
        let mut sent = json!({
            "details": "{\"port\": \"80\"}", "hosts": "[\"true\", false]", "name": "[1]",
            "limit": "1.5", "env": [], "note": null
        });
        settle(&mut sent, &schema);
        let meant = json!({
            "details": { "port": 80 }, "hosts": [true, false], "name": "[1]",
            "limit": 1.5, "env": {}
        });
        assert_eq!(sent, meant);
        // What could mean something else stays.
        let mut odd =
            json!({ "details": null, "limit": null, "hosts": "{}", "env": "7", "more": null });
        let as_sent = odd.clone();
        settle(&mut odd, &schema);
        assert_eq!(odd, as_sent);
    }

    #[test]
    fn nonsense_is_no_number() {
        for text in [
            "", "-", "+1", "1_000", " 1", "1 ", "0x10", "NaN", "1e", ".5", "5.", "-.0", "1.0.0",
        ] {
            assert_eq!((integer(text), number(text)), (None, None), "{text:?}");
        }
        for text in ["", "7", "null", "\"{}\"", "{", "[1,", "{} x"] {
            assert_eq!(structure(text), None, "{text:?}");
        }
    }
}
