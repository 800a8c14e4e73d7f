//! Sanitizes and bounds a tool's definition.

use std::io;

use serde_json::{Map, Value};

use super::json_schema::MAX_DOCS;
use super::names::fit_stored_name;
use super::portable::make_portable;
use super::text::{MAX_DESCRIPTION, clean};
use super::{Reason, ToolRecord};

/// Largest description and schemas of a tool, as JSON, in bytes.
pub const MAX_DEFINITION: usize = 256 * 1024;

impl ToolRecord {
    /// Removes invisible characters from all texts, shortens them, and makes
    /// the schemas portable. If the definition is still too large, removes the
    /// descriptions from the schemas.
    ///
    /// Idempotent. Also apply it to records read from disk, which an earlier
    /// version or another program may have written.
    ///
    /// # Errors
    ///
    /// Returns the reason why the tool cannot be offered: it is larger than [`MAX_DEFINITION`]
    /// even without descriptions.
    pub fn make_fit(&mut self) -> Result<(), Reason> {
        self.normalized_name = fit_stored_name(&self.normalized_name);
        self.name = clean(&self.name, usize::MAX);
        self.description = clean(&self.description, MAX_DESCRIPTION);
        clean_members(&mut self.input_schema);
        clean_members(&mut self.output_schema);
        make_portable(&mut self.input_schema);
        make_portable(&mut self.output_schema);
        if self.size() > MAX_DEFINITION {
            for schema in [&mut self.input_schema, &mut self.output_schema] {
                strip_members(schema);
            }
        }
        if self.size() > MAX_DEFINITION {
            return Err(format!(
                "its definition is larger than {} KiB",
                MAX_DEFINITION / 1024
            ));
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let mut counted = Counter(0);
        let shown = (&self.description, &self.input_schema, &self.output_schema);
        // Neither the counter nor maps of values can fail.
        let _ = serde_json::to_writer(&mut counted, &shown);
        counted.0
    }
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn clean_members(members: &mut Map<String, Value>) {
    if members.keys().any(|key| clean(key, usize::MAX) != *key) {
        let old = std::mem::take(members);
        members.extend(
            old.into_iter()
                .map(|(key, value)| (clean(&key, usize::MAX), value)),
        );
    }
    for (key, value) in members.iter_mut() {
        match value {
            Value::String(text) if matches!(&**key, "description" | "title") => {
                *text = clean(text, MAX_DOCS);
            }
            value => clean_value(value),
        }
    }
}

fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text, usize::MAX),
        Value::Array(items) => items.iter_mut().for_each(clean_value),
        Value::Object(members) => clean_members(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Removes descriptions. A property named `description` is a schema and is
/// kept.
fn strip_members(members: &mut Map<String, Value>) {
    members.retain(|key, value| key != "description" || !value.is_string());
    members.values_mut().for_each(strip_value);
}

fn strip_value(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip_value),
        Value::Object(members) => strip_members(members),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{ExportPath, Outcome};

    fn record(input: Value) -> ToolRecord {
        let Value::Object(input_schema) = input else {
            unreachable!("tests give objects")
        };
        ToolRecord {
            name: "f".into(),
            normalized_name: "f".into(),
            description: "Does f.".into(),
            input_schema,
            output_schema: Map::new(),
            export: ExportPath {
                interface: None,
                function: "f".into(),
            },
            outcome: Outcome::Plain,
        }
    }

    #[test]
    fn every_text_of_a_record_is_cleaned_once_and_for_all() {
        let mut record = record(json!({
            "description": "\u{202e}evil\u{200b}",
            "properties": { "a\u{e0041}b": { "enum": ["x\u{feff}"], "title": "t\u{7}" } },
        }));
        record.description = "A\u{e0041}\u{2066}b".into();
        record.normalized_name = "f\u{200d}".into();
        record.make_fit().unwrap();
        assert_eq!(record.description, "Ab");
        assert_eq!(record.normalized_name, "f_");
        let expected = json!({
            "description": "evil",
            "properties": { "ab": { "enum": ["x"], "title": "t" } },
        });
        assert_eq!(Value::Object(record.input_schema.clone()), expected);
        let once = record.clone();
        record.make_fit().unwrap();
        assert_eq!(record, once);
    }

    #[test]
    fn a_large_definition_loses_its_descriptions_or_is_refused() {
        let field = json!({ "type": "string", "description": "x".repeat(500) });
        let fields = |count: usize| -> Map<String, Value> {
            (0..count)
                .map(|n| (format!("f{n}"), field.clone()))
                .collect()
        };
        let mut large = record(json!({ "properties": fields(1000) }));
        large.make_fit().unwrap();
        assert_eq!(
            large.input_schema["properties"]["f7"],
            json!({ "type": "string" })
        );
        let mut small = record(json!({ "properties": fields(10) }));
        small.make_fit().unwrap();
        assert_eq!(small.input_schema["properties"]["f7"], field);
        let mut huge = record(json!({ "properties": fields(20_000) }));
        assert!(huge.make_fit().unwrap_err().contains("256 KiB"));
    }
}
