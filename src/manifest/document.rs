//! The JSON Schema of manifests.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::Value;

use super::Manifest;
use crate::policy;

/// The schema, as in `schemas/manifest.schema.json`.
pub fn schema() -> String {
    let mut schema = schema_for!(Manifest).to_value();
    // Both are parts of the program, and a test parses them.
    let policy: Value = serde_json::from_str(policy::SCHEMA).expect("the schema is JSON");
    if let (Some(all), Value::Object(of_policies)) =
        (schema["$defs"].as_object_mut(), &policy["$defs"])
    {
        all.extend(of_policies.clone());
        let permissions = policy["properties"]["permissions"].clone();
        all.insert("permissions".into(), permissions);
    }
    let text = serde_json::to_string_pretty(&schema).expect("a schema is plain data");
    format!("{text}\n")
}

/// The `permissions` of a policy document.
pub(super) struct Permissions;

impl JsonSchema for Permissions {
    fn schema_name() -> Cow<'static, str> {
        "Permissions".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "$ref": "#/$defs/permissions" })
    }
}

/// A source, before variables are expanded.
pub(super) struct Uri;

impl JsonSchema for Uri {
    fn schema_name() -> Cow<'static, str> {
        "Uri".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 4096 })
    }
}

/// A number, or a text that expands to one.
pub(super) struct Count;

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0, "maximum": 100 })
    }
}
