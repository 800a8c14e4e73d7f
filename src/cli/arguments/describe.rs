//! Describes a tool's arguments, in words and by example.

use serde_json::{Map, Value, json};

use crate::toolbox::Tool;

/// One argument of a tool, by its JSON Schema.
pub struct Argument<'a> {
    pub name: &'a str,
    pub is_required: bool,
    pub(super) schema: &'a Value,
}

/// The arguments of a tool, in the order of its function.
pub fn arguments(tool: &Tool) -> Vec<Argument<'_>> {
    let schema = tool.input_schema();
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    let properties = properties.into_iter().flatten();
    properties
        .map(|(name, schema)| Argument {
            name,
            is_required: is_required(name),
            schema,
        })
        .collect()
}

impl Argument<'_> {
    /// The type of the argument, in words.
    pub fn kind(&self) -> String {
        kind(self.schema)
    }

    pub fn description(&self) -> Option<&str> {
        self.schema.get("description").and_then(Value::as_str)
    }

    /// The argument with an example value, as in a command line.
    pub fn example(&self) -> String {
        match example(self.schema) {
            Value::String(text) => format!("--{} {}", self.name, quoted(&text)),
            other => format!("--{} {}", self.name, quoted(&other.to_string())),
        }
    }
}

/// The alternatives of a schema, without null, since an optional value is left out.
pub(super) fn alternatives(schema: &Value) -> Vec<&Value> {
    let of = |key| schema.get(key).and_then(Value::as_array);
    match of("anyOf").or_else(|| of("oneOf")) {
        Some(all) => all.iter().filter(|one| one["type"] != "null").collect(),
        None => vec![schema],
    }
}

pub(super) fn takes(schema: &Value, kind: &str) -> bool {
    alternatives(schema)
        .into_iter()
        .any(|one| match &one["type"] {
            Value::Array(kinds) => kinds.iter().any(|one| one == kind),
            Value::Null => one.get("enum").or(one.get("const")).is_some() && kind == "string",
            one => one == kind,
        })
}

fn kind(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().map(plain).collect();
        return format!("one of {}", values.join(", "));
    }
    if let Some(value) = schema.get("const") {
        return plain(value);
    }
    let all = alternatives(schema);
    if !matches!(&*all, [one] if std::ptr::eq(*one, schema)) {
        let mut kinds: Vec<String> = all.into_iter().map(kind).collect();
        kinds.dedup();
        return kinds.join(" or ");
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            let kinds = kinds.iter().filter(|kind| *kind != "null").map(plain);
            kinds.collect::<Vec<_>>().join(" or ")
        }
        Value::String(name) if name == "array" => match schema.get("items") {
            Some(items) if items.is_object() => format!("list of {}", kind(items)),
            _ => "list".into(),
        },
        Value::String(name) if name == "object" => {
            let members = schema.get("properties").and_then(Value::as_object);
            let members = members.into_iter().flatten();
            let members: Vec<_> = members
                .map(|(name, schema)| format!("{name}: {}", kind(schema)))
                .collect();
            match members.is_empty() {
                true => "object".into(),
                false => format!("object {{{}}}", members.join(", ")),
            }
        }
        Value::String(name) => name.clone(),
        _ => "any value".into(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn example(schema: &Value) -> Value {
    if let Some(value) = schema.get("enum").and_then(|all| all.get(0)) {
        return value.clone();
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    let Some(first) = alternatives(schema).into_iter().next() else {
        return Value::Null;
    };
    if !std::ptr::eq(first, schema) {
        return example(first);
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null"),
        kind => Some(kind),
    };
    match kind.and_then(Value::as_str) {
        Some("string") => json!("text"),
        Some("integer" | "number") => match schema["minimum"].as_f64() {
            Some(least) if least > 1.0 => schema["minimum"].clone(),
            _ => json!(1),
        },
        Some("boolean") => json!(true),
        Some("array") => match schema.get("items") {
            Some(items) if items.is_object() => json!([example(items)]),
            _ => json!([]),
        },
        Some("object") => {
            let members = schema.get("properties").and_then(Value::as_object);
            let members = members.into_iter().flatten();
            let members: Map<_, _> = members
                .map(|(name, schema)| (name.clone(), example(schema)))
                .collect();
            Value::Object(members)
        }
        _ => json!(1),
    }
}

/// The word quoted for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
