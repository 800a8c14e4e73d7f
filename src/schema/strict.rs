//! Checks tools by the rules of the strictest clients, SDKs and model providers. If one of them
//! rejects a tool, its user loses the whole list of tools.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// The prefix that Claude's clients add to a name; providers accept 64 characters in total.
const CLIENT_PREFIX: &str = "mcp__wassette__";
/// Most characters of a name that providers accept.
const LONGEST_NAME: usize = 64;
/// Cursor drops a tool if its name and its server's have this many characters together.
const CURSOR: usize = 60;
/// Largest integer that is exact as a double, which is how JavaScript reads numbers.
const MAX_EXACT: u64 = (1 << 53) - 1;
/// Keywords that OpenAI and Anthropic reject at the top level of a schema.
const NOT_AT_TOP: [&str; 6] = ["oneOf", "anyOf", "allOf", "not", "if", "enum"];
const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// A tool as listed by `tools/list`.
pub struct ListedTool<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub input_schema: &'a Map<String, Value>,
    pub output_schema: Option<&'a Map<String, Value>>,
}

impl ListedTool<'_> {
    /// Returns one sentence for each reason to reject the tool; empty if all clients accept it.
    /// Its schemas are then valid in JSON Schema 2020-12 and in draft-07.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Faults::default();
        let whole = format!("{CLIENT_PREFIX}{}", self.name);
        if !is_word(&whole, |_| false) {
            faults.add("the name", "some model providers reject it");
        }
        if "wassette".len() + self.name.len() >= CURSOR {
            faults.add("the name", "it is too long for Cursor");
        }
        if self.description.is_empty() {
            faults.add("the description", "it is missing");
        }
        faults.root(self.input_schema, "the input schema");
        if let Some(schema) = self.output_schema {
            faults.root(schema, "the output schema");
        }
        faults.0
    }
}

#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, place: &str, fault: &str) {
        self.0.push(format!("{place}: {fault}"));
    }

    /// Checks a schema that must describe an object, such as that of the arguments.
    fn root(&mut self, schema: &Map<String, Value>, place: &str) {
        if schema.get("type").is_none_or(|kind| kind != "object") {
            self.add(place, "it is not of the type `object`");
        }
        if !schema.contains_key("properties") {
            self.add(place, "it has no `properties`");
        }
        for word in NOT_AT_TOP.iter().filter(|word| schema.contains_key(**word)) {
            self.add(place, &format!("`{word}` is not allowed at its top level"));
        }
        self.schema(schema, place);
    }

    fn schema(&mut self, schema: &Map<String, Value>, place: &str) {
        for (word, value) in schema {
            match is_value_of(word, value) {
                None => self.add(place, &format!("some clients do not support `{word}`")),
                Some(false) => self.add(place, &format!("`{word}` cannot be `{value}`")),
                Some(true) => {}
            }
            if !is_exact(value) {
                self.add(
                    place,
                    &format!("JavaScript cannot hold the numbers of `{word}` exactly"),
                );
            }
        }
        // VS Code throws an error, and the TypeScript SDK rejects every item.
        let is_array = schema.get("type").is_some_and(|kind| kind == "array");
        if is_array && !schema.get("items").is_some_and(Value::is_object) {
            self.add(place, "it has no schema for `items`");
        }
        self.members(schema, place);
        let inner = ["items", "additionalProperties"].into_iter();
        for word in inner.filter(|word| schema.get(*word).is_some_and(Value::is_object)) {
            self.inner(&schema[word], &format!("{place}, {word}"));
        }
        let choices = schema.get("anyOf").and_then(Value::as_array);
        for choice in choices.into_iter().flatten() {
            self.inner(choice, place);
        }
    }

    fn members(&mut self, schema: &Map<String, Value>, place: &str) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.unwrap_or(&none);
        for (name, property) in properties {
            let place = format!("{place}, `{name}`");
            if !is_word(name, |c| c == '.') {
                self.add(&place, "some model providers reject the name");
            }
            self.inner(property, &place);
        }
        let required = schema.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        for name in names.filter(|name| !properties.contains_key(*name)) {
            self.add(place, &format!("`{name}` is required but has no schema"));
        }
    }

    fn inner(&mut self, schema: &Value, place: &str) {
        match schema.as_object() {
            Some(schema) => self.schema(schema, place),
            None => self.add(place, "its schema is not an object"),
        }
    }
}

/// Whether the keyword can have the value; `None` for a keyword that some clients do not support.
fn is_value_of(word: &str, value: &Value) -> Option<bool> {
    Some(match word {
        // Several clients ignore a list of types.
        "type" => value.as_str().is_some_and(|kind| TYPES.contains(&kind)),
        "properties" => value.is_object(),
        "required" => value.as_array().is_some_and(|names| {
            let mut seen = HashSet::new();
            let is_new = |name: &Value| {
                name.as_str()
                    .is_some_and(|name| seen.insert(name.to_owned()))
            };
            names.iter().all(is_new)
        }),
        "additionalProperties" | "items" => value.is_object() || value.is_boolean(),
        "minItems" | "maxItems" | "minLength" | "maxLength" => value.is_u64(),
        "uniqueItems" => value.is_boolean(),
        "anyOf" | "enum" => value.as_array().is_some_and(|all| !all.is_empty()),
        "minimum" | "maximum" => value.is_number(),
        "description" | "pattern" | "contentEncoding" => value.is_string(),
        // An operator's rule can set it for an argument.
        "default" => true,
        _ => return None,
    })
}

/// Whether no number in the value, apart from nested schemas, is an integer that a double cannot
/// represent.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) if !number.is_f64() => {
            let size = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            size.is_some_and(|size| size <= MAX_EXACT)
        }
        Value::Array(items) => items.iter().all(is_exact),
        _ => true,
    }
}

fn is_word(name: &str, also: impl Fn(char) -> bool) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || also(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults_of(input: &Value) -> Vec<String> {
        let tool = ListedTool {
            name: "t",
            description: "T",
            input_schema: input.as_object().unwrap(),
            output_schema: None,
        };
        tool.faults()
    }

    #[test]
    fn what_a_reader_refuses_is_told_with_its_place() {
        let of = |property: Value| json!({ "type": "object", "properties": { "p": property } });
        for (schema, told) in [
            (json!({ "type": "object" }), "no `properties`"),
            (json!({ "properties": {} }), "not of the type `object`"),
            (
                json!({ "type": "object", "properties": {}, "anyOf": [{}] }),
                "`anyOf` is not allowed at its top level",
            ),
            (
                json!({ "type": "object", "properties": {}, "required": ["q"] }),
                "`q` is required but has no schema",
            ),
            (
                json!({ "type": "object", "properties": { "a b": {} } }),
                "some model providers reject the name",
            ),
            (of(json!(true)), "`p`: its schema is not an object"),
            (
                of(json!({ "type": ["string", "null"] })),
                "`type` cannot be",
            ),
            (of(json!({ "type": "text" })), "`type` cannot be"),
            (of(json!({ "type": "array" })), "no schema for `items`"),
            (
                of(json!({ "type": "array", "items": false })),
                "no schema for `items`",
            ),
            (
                of(json!({ "prefixItems": [] })),
                "some clients do not support `prefixItems`",
            ),
            (of(json!({ "minItems": -1 })), "`minItems` cannot be `-1`"),
            (of(json!({ "maximum": u64::MAX })), "JavaScript cannot hold"),
            (
                of(json!({ "enum": [1, u64::MAX] })),
                "JavaScript cannot hold",
            ),
            (
                of(json!({ "anyOf": [{ "type": "no" }] })),
                "`type` cannot be `\"no\"`",
            ),
            (
                of(json!({ "required": ["a", "a"] })),
                "`required` cannot be",
            ),
        ] {
            let faults = faults_of(&schema);
            assert!(
                faults.iter().any(|fault| fault.contains(told)),
                "{schema}: {faults:?}"
            );
        }
    }

    #[test]
    fn names_and_descriptions_are_judged() {
        let schema = json!({ "type": "object", "properties": {} });
        let tool = |name, description| {
            let schema = schema.as_object().unwrap();
            ListedTool {
                name,
                description,
                input_schema: schema,
                output_schema: Some(schema),
            }
            .faults()
        };
        assert!(tool("a_b-c", "A").is_empty());
        let long = "x".repeat(52);
        for (name, description) in [("a.b", "A"), (&*long, "A"), ("a", "")] {
            assert!(!tool(name, description).is_empty(), "{name}");
        }
    }
}
