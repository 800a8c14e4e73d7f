//! Tests the schemas of every type.

use serde_json::{Value, json};

use super::{described, tool};
use crate::schema::Outcome;

/// Returns the schema of the parameter `x`.
fn param(wit_type: &str) -> Value {
    let wit = format!("package t:t; world w {{ export f: func(x: {wit_type}); }}");
    tool(&described(&wit), "f").input_schema["properties"]["x"].clone()
}

#[test]
fn every_plain_type_has_its_schema() {
    let float = json!({ "anyOf": [
        { "type": "number" },
        { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] },
    ]});
    let exact = 9_007_199_254_740_991_i64;
    for (wit, schema) in [
        ("bool", json!({ "type": "boolean" })),
        (
            "u8",
            json!({ "type": "integer", "minimum": 0, "maximum": 255 }),
        ),
        (
            "s8",
            json!({ "type": "integer", "minimum": -128, "maximum": 127 }),
        ),
        (
            "u16",
            json!({ "type": "integer", "minimum": 0, "maximum": 65535 }),
        ),
        (
            "s32",
            json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
        ),
        (
            "u64",
            json!({ "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": exact },
                { "type": "string", "pattern": "^[0-9]{1,20}$" },
            ]}),
        ),
        (
            "s64",
            json!({ "anyOf": [
                { "type": "integer", "minimum": -exact, "maximum": exact },
                { "type": "string", "pattern": "^-?[0-9]{1,20}$" },
            ]}),
        ),
        ("f32", float.clone()),
        ("f64", float),
        (
            "char",
            json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        ),
        ("string", json!({ "type": "string" })),
        (
            "list<u8>",
            json!({ "type": "string", "contentEncoding": "base64" }),
        ),
        (
            "list<string>",
            json!({ "type": "array", "items": { "type": "string" } }),
        ),
        (
            "list<bool, 3>",
            json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 3, "maxItems": 3 }),
        ),
        (
            "tuple<bool, string>",
            json!({
                "type": "array",
                "items": { "anyOf": [{ "type": "boolean" }, { "type": "string" }] },
                "minItems": 2, "maxItems": 2,
                "description": "In this order: boolean, string.",
            }),
        ),
        (
            "option<string>",
            json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
        ),
        (
            "option<option<bool>>",
            json!({ "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "some": { "anyOf": [{ "type": "boolean" }, { "type": "null" }] },
                    },
                    "required": ["some"],
                    "additionalProperties": false,
                },
                { "type": "null" },
            ]}),
        ),
        (
            "map<string, bool>",
            json!({ "type": "object", "additionalProperties": { "type": "boolean" } }),
        ),
        (
            "map<char, bool>",
            json!({ "type": "array", "items": {
                "type": "array",
                "items": { "anyOf": [
                    { "type": "string", "minLength": 1, "maxLength": 1 },
                    { "type": "boolean" },
                ]},
                "minItems": 2, "maxItems": 2,
                "description": "In this order: string, boolean.",
            }}),
        ),
        (
            "result<_, string>",
            json!({ "anyOf": [
                { "type": "object", "properties": { "ok": { "type": "null" } },
                  "required": ["ok"], "additionalProperties": false },
                { "type": "object", "properties": { "err": { "type": "string" } },
                  "required": ["err"], "additionalProperties": false },
            ]}),
        ),
    ] {
        assert_eq!(param(wit), schema, "{wit}");
    }
}

#[test]
fn named_types_are_written_in_place() {
    let description = described(
        "package t:t; world w { export api: interface {
            record item { name: string, price: option<u8> }
            variant shape { dot, circle(item) }
            enum level { low, high }
            flags mode { read, write }
            type alias = item;
            f: func(item: alias, shape: shape, level: level, mode: mode);
        } }",
    );
    let item = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "price": { "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 255 },
                { "type": "null" },
            ]},
        },
        "required": ["name"],
        "additionalProperties": false,
    });
    let schema = &tool(&description, "f").input_schema;
    assert_eq!(schema["properties"]["item"], item);
    assert_eq!(
        schema["properties"]["shape"],
        json!({ "anyOf": [
            { "type": "object", "properties": { "tag": { "type": "string", "enum": ["dot"] } },
              "required": ["tag"], "additionalProperties": false },
            { "type": "object",
              "properties": { "tag": { "type": "string", "enum": ["circle"] }, "val": item },
              "required": ["tag", "val"], "additionalProperties": false },
        ]})
    );
    assert_eq!(
        schema["properties"]["level"],
        json!({ "type": "string", "enum": ["low", "high"] })
    );
    assert_eq!(
        schema["properties"]["mode"],
        json!({ "type": "array", "items": { "type": "string", "enum": ["read", "write"] },
                "uniqueItems": true })
    );
    assert_eq!(
        schema["required"],
        json!(["item", "shape", "level", "mode"])
    );
}

#[test]
fn options_are_not_required_and_strangers_not_allowed() {
    let description = described("package t:t; world w { export f: func(a: u8, b: option<u8>); }");
    let schema = &tool(&description, "f").input_schema;
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["required"], json!(["a"]));
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_output_is_an_object_with_the_result() {
    let description = described(
        "package t:t; world w {
            export nothing: func();
            export number: func() -> u8;
            export fallible: func() -> result<string, u8>;
            export tried: func() -> result;
        }",
    );
    let result = |function| &tool(&description, function).output_schema["properties"]["result"];
    assert_eq!(result("nothing"), &json!({ "type": "null" }));
    assert_eq!(result("number")["maximum"], 255);
    assert_eq!(result("fallible"), &json!({ "type": "string" }));
    assert_eq!(result("tried"), &json!({ "type": "null" }));
    let outcome = |function| tool(&description, function).outcome;
    assert_eq!(outcome("number"), Outcome::Plain);
    assert_eq!(outcome("fallible"), Outcome::Result);
    assert_eq!(
        tool(&description, "number").output_schema["required"],
        json!(["result"])
    );
}
