//! Rewrites schemas to keywords that all clients support.
//!
//! Tool schemas are read by validators of draft-07 and 2020-12, by clients that
//! reject a whole list of tools for one schema, and by the dialects of the
//! model providers. The output of [`super::json_schema`] is rewritten to what
//! they have in common:
//!
//! - a tuple has `items` (VS Code rejects arrays without them, and in draft-07
//!   `items: false` rejects every item);
//! - `anyOf` and `enum` replace `oneOf` and `const`;
//! - an integer beyond 2^53 is a decimal string, and no bound is beyond that,
//!   since JavaScript reads numbers as doubles;
//! - a property name has up to 64 of the characters that providers allow
//!   ([`super::value`] maps the short names back to the full ones).

use serde_json::{Value, json};

use super::json_schema::{MAX_DOCS, Object};
use super::names::property_name;
use super::text::clean;

/// Integers up to here are exact as doubles: 2^53 - 1.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// Rewrites a schema to its portable form. Idempotent.
pub(super) fn make_portable(schema: &mut Object) {
    spell_out_tuple(schema);
    for (keyword, value) in schema.iter_mut() {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.values_mut().for_each(make_value_portable);
            }
            ("items" | "additionalProperties", value) => make_value_portable(value),
            ("anyOf" | "oneOf", Value::Array(choices)) => {
                choices.iter_mut().for_each(make_value_portable);
            }
            _ => {}
        }
    }
    spell_out_choice(schema);
    bound_integer(schema);
    rename_properties(schema);
}

fn make_value_portable(schema: &mut Value) {
    if let Value::Object(schema) = schema {
        make_portable(schema);
    }
}

/// Replaces `prefixItems` by `items`. The description gives the order of the
/// items.
fn spell_out_tuple(schema: &mut Object) {
    let Some(Value::Array(parts)) = schema.shift_remove("prefixItems") else {
        return;
    };
    let kinds: Vec<String> = parts.iter().map(kind).collect();
    let mut distinct: Vec<Value> = Vec::new();
    for part in parts {
        if !distinct.contains(&part) {
            distinct.push(part);
        }
    }
    let items = match distinct.len() {
        1 => distinct.remove(0),
        _ => json!({ "anyOf": distinct }),
    };
    if distinct.len() > 1 && !schema.contains_key("description") {
        let order = format!("In this order: {}.", kinds.join(", "));
        schema.insert("description".to_owned(), clean(&order, MAX_DOCS).into());
    }
    schema.insert("items".to_owned(), items);
}

/// Returns the type of a schema in one or two words, for the description.
fn kind(schema: &Value) -> String {
    if let Some(Value::Array(choices)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        let mut kinds: Vec<String> = choices.iter().map(kind).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    let kind = schema.get("type").and_then(Value::as_str);
    kind.unwrap_or("value").to_owned()
}

fn spell_out_choice(schema: &mut Object) {
    if let Some(value) = schema.shift_remove("const") {
        schema.insert("enum".to_owned(), json!([value]));
    }
    let choices = schema.shift_remove("oneOf");
    let Some(Value::Array(choices)) = choices.or_else(|| schema.shift_remove("anyOf")) else {
        return;
    };
    // Flatten nested choices.
    let flat = choices.into_iter().flat_map(|choice| match choice {
        Value::Object(mut only) if only.len() == 1 && only.contains_key("anyOf") => {
            match only.shift_remove("anyOf") {
                Some(Value::Array(inner)) => inner,
                other => other.into_iter().collect(),
            }
        }
        other => vec![other],
    });
    schema.insert("anyOf".to_owned(), flat.collect());
}

/// Allows a decimal string for integers that doubles cannot represent.
fn bound_integer(schema: &mut Object) {
    let integer = schema.get("type").is_some_and(|kind| kind == "integer");
    let bounds = (schema.get("minimum"), schema.get("maximum"));
    let exact = |bound: Option<&Value>| bound.is_none_or(is_exact);
    if !integer || exact(bounds.0) && exact(bounds.1) {
        return;
    }
    let signed = bounds
        .0
        .and_then(Value::as_i64)
        .is_some_and(|least| least < 0);
    let (minimum, pattern) = match signed {
        true => (-(MAX_EXACT as i64), "^-?[0-9]{1,20}$"),
        false => (0, "^[0-9]{1,20}$"),
    };
    for keyword in ["type", "minimum", "maximum"] {
        schema.shift_remove(keyword);
    }
    let choices = json!([
        { "type": "integer", "minimum": minimum, "maximum": MAX_EXACT },
        { "type": "string", "pattern": pattern },
    ]);
    schema.insert("anyOf".to_owned(), choices);
}

/// Replaces integers that doubles cannot represent by decimal strings, as the
/// portable schema allows, for clients that read numbers as doubles.
pub fn make_exact(value: &mut Value) {
    match value {
        Value::Number(_) if !is_exact(value) => *value = value.to_string().into(),
        Value::Array(items) => items.iter_mut().for_each(make_exact),
        Value::Object(members) => members.values_mut().for_each(make_exact),
        _ => {}
    }
}

/// Whether JavaScript reads the number without loss.
fn is_exact(number: &Value) -> bool {
    match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => number <= MAX_EXACT,
        (None, Some(number)) => number.unsigned_abs() <= MAX_EXACT,
        // A double.
        (None, None) => true,
    }
}

fn rename_properties(schema: &mut Object) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    if properties.keys().all(|name| property_name(name) == *name) {
        return;
    }
    let renamed = std::mem::take(properties)
        .into_iter()
        .map(|(name, mut value)| {
            let short = property_name(&name).into_owned();
            if short != name
                && let Value::Object(property) = &mut value
            {
                let docs = property.get("description").and_then(Value::as_str);
                let docs = docs.unwrap_or_default();
                let docs = format!("The component calls it `{name}`. {docs}");
                property.insert("description".to_owned(), clean(&docs, MAX_DOCS).into());
            }
            (short, value)
        });
    *properties = renamed.collect();
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        for name in required {
            if let Some(text) = name.as_str() {
                *name = property_name(text).into_owned().into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portable(schema: Value) -> Value {
        let Value::Object(mut schema) = schema else {
            unreachable!("tests give objects")
        };
        make_portable(&mut schema);
        let once = schema.clone();
        make_portable(&mut schema);
        assert_eq!(schema, once);
        schema.into()
    }

    #[test]
    fn a_tuple_has_items() {
        let pair = json!({
            "type": "array",
            "prefixItems": [{ "type": "string" }, { "type": "boolean" }],
            "items": false, "minItems": 2, "maxItems": 2,
        });
        let expected = json!({
            "type": "array",
            "items": { "anyOf": [{ "type": "string" }, { "type": "boolean" }] },
            "minItems": 2, "maxItems": 2,
            "description": "In this order: string, boolean.",
        });
        assert_eq!(portable(pair), expected);
        let same = json!({
            "type": "array",
            "prefixItems": [{ "type": "string" }, { "type": "string" }],
            "items": false, "minItems": 2, "maxItems": 2,
        });
        assert_eq!(portable(same)["items"], json!({ "type": "string" }));
    }

    #[test]
    fn an_integer_beyond_doubles_may_be_a_text() {
        let wide = json!({
            "anyOf": [
                { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
                { "type": "null" },
            ],
        });
        let expected = json!({
            "anyOf": [
                { "type": "integer", "minimum": -9007199254740991_i64, "maximum": 9007199254740991_u64 },
                { "type": "string", "pattern": "^-?[0-9]{1,20}$" },
                { "type": "null" },
            ],
        });
        assert_eq!(portable(wide), expected);
        let small = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
        assert_eq!(portable(small.clone()), small);
    }

    #[test]
    fn words_of_the_newest_draft_are_spelt_out() {
        let variant = json!({
            "oneOf": [{ "properties": { "tag": { "type": "string", "const": "a" } } }],
        });
        let expected = json!({
            "anyOf": [{ "properties": { "tag": { "type": "string", "enum": ["a"] } } }],
        });
        assert_eq!(portable(variant), expected);
        // A property may be called like a keyword.
        let named = json!({ "properties": { "const": { "type": "string" } } });
        assert_eq!(portable(named.clone()), named);
    }

    #[test]
    fn a_long_property_is_shortened_and_says_its_name() {
        let long = "a-".repeat(40) + "b";
        let schema = portable(json!({
            "properties": { (long.clone()): { "type": "string", "description": "Old." } },
            "required": [long],
        }));
        let (name, property) = schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        assert!(name.len() <= 64, "{name}");
        assert_eq!(schema["required"], json!([name]));
        let docs = property["description"].as_str().unwrap();
        assert!(docs.contains(&long) && docs.ends_with("Old."), "{docs}");
    }
}
