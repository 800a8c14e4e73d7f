//! Basic schemas.

use serde_json::{Value, json};
use wit_parser::Type;

use super::{Object, Reason};

/// Properties of an object with fixed fields.
#[derive(Default)]
pub(super) struct Fields {
    properties: Object,
    required: Vec<Value>,
}

impl Fields {
    pub(super) fn allow(&mut self, name: &str, schema: Object) {
        self.properties.insert(name.to_owned(), schema.into());
    }

    pub(super) fn require(&mut self, name: &str, schema: Object) {
        self.properties.insert(name.to_owned(), schema.into());
        self.required.push(name.into());
    }

    pub(super) fn into_schema(self) -> Object {
        let mut schema = object(json!({ "type": "object" }));
        schema.insert("properties".to_owned(), self.properties.into());
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), self.required.into());
        }
        schema.insert("additionalProperties".to_owned(), false.into());
        schema
    }
}

pub(super) fn primitive(ty: &Type) -> Result<Object, Reason> {
    let schema = match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::U8 => json!({ "type": "integer", "minimum": 0, "maximum": u8::MAX }),
        Type::U16 => json!({ "type": "integer", "minimum": 0, "maximum": u16::MAX }),
        Type::U32 => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        Type::U64 => json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
        Type::S8 => json!({ "type": "integer", "minimum": i8::MIN, "maximum": i8::MAX }),
        Type::S16 => json!({ "type": "integer", "minimum": i16::MIN, "maximum": i16::MAX }),
        Type::S32 => json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
        Type::S64 => json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX }),
        Type::F32 | Type::F64 => json!({
            "anyOf": [
                { "type": "number" },
                { "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] },
            ],
        }),
        Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        Type::String => json!({ "type": "string" }),
        Type::ErrorContext => return Err("contains an error context".to_owned()),
        Type::Id(_) => return Err("contains an unknown type".to_owned()),
    };
    Ok(object(schema))
}

pub(super) fn null() -> Object {
    object(json!({ "type": "null" }))
}

pub(super) fn one_of(choices: Vec<Value>) -> Object {
    let mut schema = Object::new();
    schema.insert("oneOf".to_owned(), choices.into());
    schema
}

/// Unwraps the object of a `json!({…})`.
pub(super) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}
