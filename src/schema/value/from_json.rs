//! Converts JSON to component values according to their type.

use base64::Engine as _;
use serde_json::Value;
use wasmtime::component::{Type, Val};

use super::budget::heap;
use super::charged::Reader;
use super::error::ValueError;
use super::expected::expected;
use super::fields::{Field, object};
use super::path::Path;
use super::{BASE64, MAX_DEPTH, lenient, number};

impl Reader<'_> {
    pub(super) fn value(
        &mut self,
        json: &Value,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        if path.depth() > MAX_DEPTH {
            return Err(ValueError::too_deep(path));
        }
        if let (Value::String(text), true) = (json, is_structure(ty)) {
            return self.structure(text, json, ty, path);
        }
        if let Some(value) = number::integer(json, ty) {
            return value.ok_or_else(|| mismatch(json, ty, path));
        }
        let text = json.as_str();
        let read = match ty {
            Type::Bool => json
                .as_bool()
                .or_else(|| lenient::boolean(text?))
                .map(Val::Bool),
            Type::Float32 => number::float32(json).map(Val::Float32),
            Type::Float64 => number::float64(json).map(Val::Float64),
            Type::Char => text.and_then(only_char).map(Val::Char),
            Type::String => match text {
                Some(text) => Some(Val::String(self.name(text, path)?)),
                None => None,
            },
            Type::Enum(ty) => {
                let names: Vec<&str> = ty.names().collect();
                match text.and_then(|text| self.one_of(text, &names, path)) {
                    Some(name) => Some(Val::Enum(self.name(name, path)?)),
                    None => None,
                }
            }
            Type::List(list) => match json.as_array() {
                Some(items) => Some(Val::List(self.all(items, &list.ty(), path)?)),
                None => None,
            },
            Type::FixedLengthList(list) => match json.as_array() {
                Some(items) if u32::try_from(items.len()) == Ok(list.len()) => {
                    Some(Val::FixedLengthList(self.all(items, &list.ty(), path)?))
                }
                _ => None,
            },
            Type::Tuple(tuple) => match json.as_array() {
                Some(items) if items.len() == tuple.types().len() => {
                    Some(Val::Tuple(self.each(items, tuple.types(), path)?))
                }
                _ => None,
            },
            Type::Record(record) => match object(json) {
                Some(object) => {
                    let fields: Vec<Field> = record.fields().map(|it| (it.name, it.ty)).collect();
                    Some(Val::Record(self.fields(&object, &fields, path)?))
                }
                None => None,
            },
            Type::Map(map) => self.map(json, &map.key(), &map.value(), path)?,
            Type::Variant(variant) => {
                let cases: Vec<_> = variant.cases().map(|it| (it.name, it.ty)).collect();
                self.case(json, &cases, path)?
            }
            Type::Option(option) => Some(self.option(json, &option.ty(), path)?),
            Type::Result(result) => self.either(json, result.ok(), result.err(), path)?,
            Type::Flags(flags) => {
                let known: Vec<&str> = flags.names().collect();
                self.flags(json, &known, path)?
            }
            Type::Own(_) | Type::Borrow(_) => {
                return Err(ValueError::no_json(path, "it is a resource"));
            }
            Type::Future(_) => return Err(ValueError::no_json(path, "it is a future")),
            Type::Stream(_) => return Err(ValueError::no_json(path, "it is a stream")),
            Type::ErrorContext => return Err(ValueError::no_json(path, "it is an error context")),
            // The integers were handled above.
            _ => None,
        };
        read.ok_or_else(|| mismatch(json, ty, path))
    }

    /// Converts a value that was sent as a string of JSON.
    fn structure(
        &mut self,
        text: &str,
        json: &Value,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<Val, ValueError> {
        if let Type::List(list) = ty
            && list.ty() == Type::U8
            && let Some(bytes) = self.bytes(text, path)?
        {
            return Ok(Val::List(bytes));
        }
        self.take(lenient::structure_cost(text), path)?;
        let structure = lenient::structure(text).ok_or_else(|| mismatch(json, ty, path))?;
        self.value(&structure, ty, path)
    }

    fn all(&mut self, items: &[Value], ty: &Type, path: &Path<'_>) -> Result<Vec<Val>, ValueError> {
        let mut values = self.vec(items.len(), path)?;
        for (index, item) in items.iter().enumerate() {
            values.push(self.value(item, ty, &path.index(index))?);
        }
        Ok(values)
    }

    fn each(
        &mut self,
        items: &[Value],
        types: impl Iterator<Item = Type>,
        path: &Path<'_>,
    ) -> Result<Vec<Val>, ValueError> {
        let mut values = self.vec(items.len(), path)?;
        for (index, (item, ty)) in items.iter().zip(types).enumerate() {
            values.push(self.value(item, &ty, &path.index(index))?);
        }
        Ok(values)
    }

    /// `None` for JSON of the wrong type.
    fn map(
        &mut self,
        json: &Value,
        key: &Type,
        item: &Type,
        path: &Path<'_>,
    ) -> Result<Option<Val>, ValueError> {
        if *key == Type::String {
            let Some(object) = object(json) else {
                return Ok(None);
            };
            let mut entries = self.vec(object.len(), path)?;
            for (name, json) in object.iter() {
                let item = self.value(json, item, &path.field(name))?;
                entries.push((Val::String(self.name(name, path)?), item));
            }
            return Ok(Some(Val::Map(entries)));
        }
        let Some(pairs) = json.as_array() else {
            return Ok(None);
        };
        let mut entries = self.vec(pairs.len(), path)?;
        for (index, pair) in pairs.iter().enumerate() {
            let path = path.index(index);
            let Some([first, second]) = pair.as_array().map(Vec::as_slice) else {
                let expected = "an array of a key and a value";
                return Err(ValueError::mismatch(&path, expected, pair));
            };
            let first = self.value(first, key, &path.index(0))?;
            entries.push((first, self.value(second, item, &path.index(1))?));
        }
        Ok(Some(Val::Map(entries)))
    }

    fn option(&mut self, json: &Value, ty: &Type, path: &Path<'_>) -> Result<Val, ValueError> {
        if json.is_null() {
            return Ok(Val::Option(None));
        }
        let value = match (ty, json) {
            (Type::Option(_), Value::Object(object)) => {
                // `some` is required: without it, the value would be ambiguous.
                let path = path.field("some");
                match (object.get("some"), object.len()) {
                    (Some(json), 1) => self.value(json, ty, &path)?,
                    _ => return Err(ValueError::mismatch(&path, SOME, json)),
                }
            }
            (Type::Option(_), Value::String(text)) => {
                self.take(lenient::structure_cost(text), path)?;
                let structure = lenient::structure(text);
                let structure = structure.filter(Value::is_object);
                let structure = structure.ok_or_else(|| ValueError::mismatch(path, SOME, json))?;
                return self.option(&structure, ty, path);
            }
            (Type::Option(_), _) => return Err(ValueError::mismatch(path, SOME, json)),
            _ => self.value(json, ty, path)?,
        };
        Ok(Val::Option(self.boxed(Some(value), path)?))
    }

    fn bytes(&mut self, text: &str, path: &Path<'_>) -> Result<Option<Vec<Val>>, ValueError> {
        self.take(heap(text.len()), path)?;
        let Ok(bytes) = BASE64.decode(text) else {
            return Ok(None);
        };
        let mut values = self.vec(bytes.len(), path)?;
        values.extend(bytes.into_iter().map(Val::U8));
        Ok(Some(values))
    }
}

const SOME: &str = "null or {\"some\": value}";

/// Whether a string for this type must be JSON text (or base64).
fn is_structure(ty: &Type) -> bool {
    matches!(
        ty,
        Type::List(_)
            | Type::FixedLengthList(_)
            | Type::Tuple(_)
            | Type::Record(_)
            | Type::Map(_)
            | Type::Variant(_)
            | Type::Result(_)
            | Type::Flags(_)
    )
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn mismatch(json: &Value, ty: &Type, path: &Path<'_>) -> ValueError {
    ValueError::mismatch(path, expected(ty), json)
}
