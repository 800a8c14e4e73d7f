//! Checks whether a value matches the schema of an argument.
//!
//! The schemas are our own and use the few keywords that every client supports
//! ([`super::super::strict`] lists them), so no general validator is needed. A test compares the
//! results with those of one.

use serde_json::{Map, Value};

/// Returns why the value does not match, or `None` if it does. The reason does not contain the
/// value, which may be confidential.
pub(super) fn misfit(value: &Value, schema: &Value) -> Option<String> {
    at(value, schema, "it")
}

fn at(value: &Value, schema: &Value, place: &str) -> Option<String> {
    let schema = schema.as_object()?;
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let mut misfits = choices.iter().map(|choice| at(value, choice, place));
        if !misfits.any(|misfit| misfit.is_none()) {
            let kinds: Vec<&str> = choices
                .iter()
                .filter_map(|one| one["type"].as_str())
                .collect();
            return Some(format!("{place} is none of: {}", kinds.join(", ")));
        }
    }
    if let Some(kind) = schema.get("type").and_then(Value::as_str)
        && !is_of(value, kind)
    {
        return Some(format!("{place} is not of the type {kind}"));
    }
    if let Some(known) = schema.get("enum").and_then(Value::as_array)
        && !known.contains(value)
    {
        let known: Vec<String> = known.iter().map(Value::to_string).collect();
        return Some(format!("{place} is none of {}", known.join(", ")));
    }
    match value {
        Value::Number(number) => {
            let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
            let number = number.as_f64()?;
            let is_within = bound("minimum").is_none_or(|least| number >= least)
                && bound("maximum").is_none_or(|most| number <= most);
            (!is_within).then(|| format!("{place} is too small or too large"))
        }
        Value::String(text) => self::text(text, schema, place),
        Value::Array(items) => list(items, schema, place),
        Value::Object(members) => object(members, schema, place),
        Value::Null | Value::Bool(_) => None,
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn is_within(count: usize, schema: &Map<String, Value>, (least, most): (&str, &str)) -> bool {
    let bound = |word: &str| schema.get(word).and_then(Value::as_u64);
    bound(least).is_none_or(|least| count as u64 >= least)
        && bound(most).is_none_or(|most| count as u64 <= most)
}

fn text(text: &str, schema: &Map<String, Value>, place: &str) -> Option<String> {
    if !is_within(text.chars().count(), schema, ("minLength", "maxLength")) {
        return Some(format!("{place} is too short or too long"));
    }
    // The only patterns are those of integers that a double cannot represent.
    let pattern = schema.get("pattern").and_then(Value::as_str)?;
    let digits = match pattern.starts_with("^-?") {
        true => text.strip_prefix('-').unwrap_or(text),
        false => text,
    };
    let is_integer = (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    (!is_integer).then(|| format!("{place} is not a decimal number"))
}

fn list(items: &[Value], schema: &Map<String, Value>, place: &str) -> Option<String> {
    if !is_within(items.len(), schema, ("minItems", "maxItems")) {
        return Some(format!("{place} has too few or too many items"));
    }
    let is_unique = |at: usize, item: &Value| !items[..at].contains(item);
    if schema.get("uniqueItems") == Some(&Value::Bool(true))
        && !items
            .iter()
            .enumerate()
            .all(|(at, item)| is_unique(at, item))
    {
        return Some(format!("{place} has an item twice"));
    }
    let of = schema.get("items")?;
    let mut items = items.iter().enumerate();
    items.find_map(|(nth, item)| at(item, of, &format!("item {nth} of {place}")))
}

fn object(
    members: &Map<String, Value>,
    schema: &Map<String, Value>,
    place: &str,
) -> Option<String> {
    let required = schema.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.find(|name| !members.contains_key(*name)) {
        return Some(format!("`{missing}` of {place} is missing"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    members.iter().find_map(|(name, value)| {
        let inner = format!("`{name}` of {place}");
        match (
            properties.and_then(|known| known.get(name)),
            schema.get("additionalProperties"),
        ) {
            (Some(property), _) => at(value, property, &inner),
            (None, Some(Value::Bool(false))) => Some(format!("{inner} is not known")),
            (None, Some(others)) => at(value, others, &inner),
            (None, None) => None,
        }
    })
}
