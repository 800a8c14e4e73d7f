//! A tool's arguments as people write them: `--name value`.

use serde_json::{Map, Value, json};

use crate::error::{Class, Diagnose};
use crate::text::{Foreign, nearest};
use crate::toolbox::Tool;

/// One argument of a tool, by its JSON Schema.
pub struct Argument<'a> {
    pub name: &'a str,
    pub is_required: bool,
    schema: &'a Value,
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
    /// What the argument takes, in words.
    pub fn kind(&self) -> String {
        kind(self.schema)
    }

    pub fn description(&self) -> Option<&str> {
        self.schema.get("description").and_then(Value::as_str)
    }

    /// The argument with a value of its type, as in a command line.
    pub fn example(&self) -> String {
        match example(self.schema) {
            Value::String(text) => format!("--{} {}", self.name, quoted(&text)),
            other => format!("--{} {}", self.name, quoted(&other.to_string())),
        }
    }
}

/// The alternatives of a schema, without null: an optional value is left out.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let of = |key| schema.get(key).and_then(Value::as_array);
    match of("anyOf").or_else(|| of("oneOf")) {
        Some(all) => all.iter().filter(|one| one["type"] != "null").collect(),
        None => vec![schema],
    }
}

fn takes(schema: &Value, kind: &str) -> bool {
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

/// The word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Why the words after a tool's name are not its arguments.
#[derive(Debug, thiserror::Error)]
pub enum BadArgument {
    #[error("`{tool}` has no argument `{name}`")]
    Unknown {
        tool: String,
        name: Foreign,
        similar: Option<String>,
        known: Vec<String>,
    },
    #[error("`{word}` is not an argument of `{tool}`: arguments are given as `--NAME VALUE`")]
    Bare {
        tool: String,
        word: Foreign,
        known: Vec<String>,
    },
    #[error("The argument `--{name}` has no value")]
    NoValue { name: String },
    #[error("The argument `--{name}` is given twice")]
    Twice { name: String },
}

impl Diagnose for BadArgument {
    fn code(&self) -> &'static str {
        "invalid-arguments"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            BadArgument::Unknown { tool, similar, .. } => Some(match similar {
                Some(similar) => format!("did you mean `--{similar}`?"),
                None => format!("`wassette tools {tool}` describes its arguments"),
            }),
            BadArgument::Bare { tool, .. } => {
                Some(format!("`wassette tools {tool}` shows an example"))
            }
            BadArgument::NoValue { .. } | BadArgument::Twice { .. } => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            BadArgument::Unknown { known, .. } | BadArgument::Bare { known, .. } => {
                let known = match known.is_empty() {
                    true => "none".to_owned(),
                    false => known.join(", "),
                };
                vec![("arguments", known)]
            }
            _ => Vec::new(),
        }
    }
}

/// Reads `--name value`, `--name=value` and, of booleans, `--name` alone.
///
/// A value is a text where the tool takes one, and JSON otherwise. Given several
/// times, the values of a list are its items.
///
/// # Errors
///
/// [`BadArgument`]; whether the values fit the tool's types is not judged here.
pub fn parse(tool: &Tool, words: &[String]) -> Result<Map<String, Value>, BadArgument> {
    let known = arguments(tool);
    let names = || {
        known
            .iter()
            .map(|argument| format!("--{}", argument.name))
            .collect()
    };
    let mut parsed = Map::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(text) = word.strip_prefix("--") else {
            return Err(BadArgument::Bare {
                tool: tool.name.clone(),
                word: word.into(),
                known: names(),
            });
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let Some(argument) = known.iter().find(|argument| argument.name == name) else {
            let near = nearest(name, known.iter().map(|argument| argument.name));
            return Err(BadArgument::Unknown {
                tool: tool.name.clone(),
                name: name.into(),
                similar: near.first().map(|name| (*name).to_owned()),
                known: names(),
            });
        };
        let is_switch = takes(argument.schema, "boolean");
        let follows = |next: &&&String| match is_switch {
            true => ["true", "false"].contains(&next.as_str()),
            false => !next.starts_with("--"),
        };
        let value = match value {
            Some(value) => value,
            None => match words.next_if(|next| follows(&next)) {
                Some(next) => next.clone(),
                None if is_switch => "true".to_owned(),
                None => return Err(BadArgument::NoValue { name: name.into() }),
            },
        };
        add(&mut parsed, argument, &value)?;
    }
    Ok(parsed)
}

fn add(
    parsed: &mut Map<String, Value>,
    argument: &Argument<'_>,
    text: &str,
) -> Result<(), BadArgument> {
    let name = argument.name.to_owned();
    let mut list = alternatives(argument.schema).into_iter();
    let Some(list) = list.find(|one| one["type"] == "array") else {
        return match parsed.insert(name.clone(), value(argument.schema, text)) {
            None => Ok(()),
            Some(_) => Err(BadArgument::Twice { name }),
        };
    };
    let items = match serde_json::from_str(text) {
        Ok(Value::Array(items)) => items,
        // Bytes are given as base64 in one text, where the tool takes that.
        _ if takes(argument.schema, "string") => {
            parsed.insert(name, text.into());
            return Ok(());
        }
        _ => vec![value(&list["items"], text)],
    };
    match parsed.entry(name).or_insert_with(|| json!([])) {
        Value::Array(all) => all.extend(items),
        other => *other = items.into(),
    }
    Ok(())
}

fn value(schema: &Value, text: &str) -> Value {
    match takes(schema, "string") {
        true => text.into(),
        false => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::ComponentId;
    use crate::schema::{ExportPath, Outcome, Reach, ToolRecord};

    fn tool() -> Tool {
        let schema = json!({
            "type": "object",
            "properties": {
                "title": { "type": "string" },
                "count": { "type": "integer" },
                "loud": { "type": "boolean" },
                "tags": { "type": "array", "items": { "type": "string" } },
                "limit": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
                "at": { "type": "object", "properties": { "x": { "type": "number" } } },
                "unit": { "enum": ["metric", "imperial"] },
            },
            "required": ["title"],
        });
        let Value::Object(input_schema) = schema else {
            unreachable!()
        };
        Tool {
            name: "t".into(),
            component: ComponentId::parse("c").unwrap(),
            reach: Reach::ANY,
            record: ToolRecord {
                name: "t".into(),
                normalized_name: "t".into(),
                description: String::new(),
                input_schema,
                output_schema: Map::new(),
                export: ExportPath {
                    interface: None,
                    function: "t".into(),
                },
                outcome: Outcome::Plain,
            },
        }
    }

    fn parsed(words: &[&str]) -> Result<Value, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let parsed = parse(&tool(), &words).map(Value::Object);
        parsed.map_err(|error| error.to_string())
    }

    #[test]
    fn words_become_the_values_that_the_tool_takes() {
        for (words, value) in [
            (&["--title", "7"][..], json!({ "title": "7" })),
            (&["--title=--x"], json!({ "title": "--x" })),
            (
                &["--title", "-1", "--count", "-1"],
                json!({ "title": "-1", "count": -1 }),
            ),
            (
                &["--loud", "--count=2"],
                json!({ "loud": true, "count": 2 }),
            ),
            (&["--loud", "false"], json!({ "loud": false })),
            (
                &["--tags", "a", "--tags", "b"],
                json!({ "tags": ["a", "b"] }),
            ),
            (&["--tags", r#"["a","b"]"#], json!({ "tags": ["a", "b"] })),
            (&["--limit", "3"], json!({ "limit": 3 })),
            (&["--at", r#"{"x": 1.5}"#], json!({ "at": { "x": 1.5 } })),
            (&["--unit", "metric"], json!({ "unit": "metric" })),
            // The types are checked where all calls are.
            (&["--count", "many"], json!({ "count": "many" })),
            (&[], json!({})),
        ] {
            assert_eq!(parsed(words), Ok(value), "{words:?}");
        }
    }

    #[test]
    fn what_is_no_argument_is_told() {
        for (words, told) in [
            (&["--titel", "x"][..], "`t` has no argument `titel`"),
            (&["x"], "`x` is not an argument of `t`"),
            (&["--title"], "The argument `--title` has no value"),
            (
                &["--title", "--count"],
                "The argument `--title` has no value",
            ),
            (
                &["--title", "a", "--title", "b"],
                "`--title` is given twice",
            ),
        ] {
            let error = parsed(words).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        let words = ["--titel".to_owned(), "x".to_owned()];
        let error = parse(&tool(), &words).unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `--title`?");
        assert!(error.facts()[0].1.starts_with("--title, --count"));
    }

    #[test]
    fn kinds_and_examples_are_in_words() {
        let tool = tool();
        let told: Vec<_> = arguments(&tool)
            .iter()
            .map(|argument| format!("{}: {}", argument.example(), argument.kind()))
            .collect();
        assert_eq!(
            told,
            [
                "--title text: string",
                "--count 1: integer",
                "--loud true: boolean",
                "--tags '[\"text\"]': list of string",
                "--limit 1: integer",
                "--at '{\"x\":1}': object {x: number}",
                "--unit metric: one of metric, imperial",
            ]
        );
    }
}
