//! Converts component values to JSON according to their type.
//!
//! Values are consumed, so that strings are moved and not copied.

use std::io;

use base64::Engine as _;
use serde::Serialize;
use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

use super::budget::{Budget, heap};
use super::error::ValueError;
use super::path::Path;
use super::{BASE64, MAX_DEPTH, number};
use crate::schema::names::property_name;

/// Converts values. Charges memory before allocating it, and counts the length
/// of the JSON text.
pub(super) struct Writer<'b> {
    pub budget: &'b mut dyn Budget,
    /// Remaining bytes of JSON text.
    pub text: Text,
}

/// Remaining bytes of JSON text; `write` only counts.
pub(super) struct Text(pub u64);

impl Writer<'_> {
    pub(super) fn value(
        &mut self,
        value: Val,
        ty: &Type,
        path: &Path<'_>,
    ) -> Result<Value, ValueError> {
        if path.depth() > MAX_DEPTH {
            return Err(ValueError::too_deep(path));
        }
        let scalar: Value = match (value, ty) {
            (Val::Bool(value), Type::Bool) => value.into(),
            (Val::S8(value), Type::S8) => value.into(),
            (Val::U8(value), Type::U8) => value.into(),
            (Val::S16(value), Type::S16) => value.into(),
            (Val::U16(value), Type::U16) => value.into(),
            (Val::S32(value), Type::S32) => value.into(),
            (Val::U32(value), Type::U32) => value.into(),
            (Val::S64(value), Type::S64) => value.into(),
            (Val::U64(value), Type::U64) => value.into(),
            (Val::Float32(value), Type::Float32) => number::from_float32(value),
            (Val::Float64(value), Type::Float64) => number::from_float64(value),
            (Val::Char(value), Type::Char) => return self.text(value.to_string(), path),
            (Val::String(text), Type::String) => return self.text(text, path),
            (Val::Enum(name), Type::Enum(_)) => return self.text(name, path),
            (value, ty) => return self.compound(value, ty, path),
        };
        self.count(&scalar, path)?;
        Ok(scalar)
    }

    fn compound(&mut self, value: Val, ty: &Type, path: &Path<'_>) -> Result<Value, ValueError> {
        match (value, ty) {
            (Val::Flags(names), Type::Flags(_)) => {
                let mut array = self.array(names.len(), path)?;
                for name in names {
                    array.push(self.text(name, path)?);
                }
                Ok(array.into())
            }
            (Val::List(items), Type::List(list)) if list.ty() == Type::U8 => {
                self.bytes(items, path)
            }
            (Val::List(items), Type::List(list)) => self.all(items, &list.ty(), path),
            (Val::FixedLengthList(items), Type::FixedLengthList(list)) => {
                self.all(items, &list.ty(), path)
            }
            (Val::Tuple(items), Type::Tuple(tuple)) if items.len() == tuple.types().len() => {
                let mut array = self.array(items.len(), path)?;
                for (index, (item, ty)) in items.into_iter().zip(tuple.types()).enumerate() {
                    array.push(self.value(item, &ty, &path.index(index))?);
                }
                Ok(array.into())
            }
            (Val::Record(fields), Type::Record(record))
                if fields.len() == record.fields().len() =>
            {
                let mut object = self.object(fields.len(), path)?;
                for ((name, field), known) in fields.into_iter().zip(record.fields()) {
                    let shown = property_name(&name).into_owned();
                    self.name(&shown, path)?;
                    let json = self.value(field, &known.ty, &path.field(&name))?;
                    object.insert(shown, json);
                }
                Ok(object.into())
            }
            (Val::Map(entries), Type::Map(map)) => {
                self.map(entries, &map.key(), &map.value(), path)
            }
            (Val::Variant(name, payload), Type::Variant(variant)) => {
                let case = variant.cases().find(|case| case.name == name);
                let ty = case.and_then(|case| case.ty);
                self.case(name, payload, ty, path)
            }
            (Val::Option(None), Type::Option(_)) => self.null(path),
            (Val::Option(Some(inner)), Type::Option(option)) => match option.ty() {
                ty @ Type::Option(_) => self.single("some", Some(inner), Some(ty), path),
                ty => self.value(*inner, &ty, path),
            },
            (Val::Result(Ok(inner)), Type::Result(result)) => {
                self.single("ok", inner, result.ok(), path)
            }
            (Val::Result(Err(inner)), Type::Result(result)) => {
                self.single("err", inner, result.err(), path)
            }
            (value, _) => Err(no_json(&value, path)),
        }
    }

    /// Converts the payload of a case or of a `result`; `null` if there is
    /// none.
    pub(super) fn payload(
        &mut self,
        inner: Option<Box<Val>>,
        ty: Option<Type>,
        path: &Path<'_>,
    ) -> Result<Value, ValueError> {
        match (inner, ty) {
            (Some(inner), Some(ty)) => self.value(*inner, &ty, path),
            (None, None) => self.null(path),
            _ => Err(ValueError::no_json(path, "it is not of the declared type")),
        }
    }

    fn all(&mut self, items: Vec<Val>, ty: &Type, path: &Path<'_>) -> Result<Value, ValueError> {
        let mut array = self.array(items.len(), path)?;
        for (index, item) in items.into_iter().enumerate() {
            array.push(self.value(item, ty, &path.index(index))?);
        }
        Ok(array.into())
    }

    fn bytes(&mut self, items: Vec<Val>, path: &Path<'_>) -> Result<Value, ValueError> {
        self.take(heap(items.len()), path)?;
        let mut bytes = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Val::U8(byte) => bytes.push(byte),
                other => return Err(no_json(&other, path)),
            }
        }
        let length = bytes.len().div_ceil(3).saturating_mul(4);
        if self.text.0 < length as u64 {
            return Err(ValueError::too_long(path));
        }
        self.take(heap(length), path)?;
        let text = Value::String(BASE64.encode(bytes));
        self.count(&text, path)?;
        Ok(text)
    }

    /// For a duplicate key, the last value wins, as the component model
    /// specifies.
    fn map(
        &mut self,
        entries: Vec<(Val, Val)>,
        key: &Type,
        item: &Type,
        path: &Path<'_>,
    ) -> Result<Value, ValueError> {
        if *key == Type::String {
            let mut object = self.object(entries.len(), path)?;
            for (key, entry) in entries {
                let Val::String(name) = key else {
                    return Err(no_json(&key, path));
                };
                self.name(&name, path)?;
                let json = self.value(entry, item, &path.field(&name))?;
                object.insert(name, json);
            }
            return Ok(object.into());
        }
        let mut pairs = self.array(entries.len(), path)?;
        for (index, (first, second)) in entries.into_iter().enumerate() {
            let path = path.index(index);
            let mut pair = self.array(2, &path)?;
            pair.push(self.value(first, key, &path.index(0))?);
            pair.push(self.value(second, item, &path.index(1))?);
            pairs.push(pair.into());
        }
        Ok(pairs.into())
    }

    fn case(
        &mut self,
        name: String,
        inner: Option<Box<Val>>,
        ty: Option<Type>,
        path: &Path<'_>,
    ) -> Result<Value, ValueError> {
        let mut object = self.object(1 + usize::from(ty.is_some()), path)?;
        self.name("tag", path)?;
        object.insert("tag".to_owned(), self.text(name, path)?);
        if ty.is_some() {
            self.name("val", path)?;
            let val = self.payload(inner, ty, &path.field("val"))?;
            object.insert("val".to_owned(), val);
        }
        Ok(object.into())
    }

    fn single(
        &mut self,
        name: &str,
        inner: Option<Box<Val>>,
        ty: Option<Type>,
        path: &Path<'_>,
    ) -> Result<Value, ValueError> {
        let mut object = self.object(1, path)?;
        self.name(name, path)?;
        let json = self.payload(inner, ty, &path.field(name))?;
        object.insert(name.to_owned(), json);
        Ok(object.into())
    }

    fn null(&mut self, path: &Path<'_>) -> Result<Value, ValueError> {
        self.count(&Value::Null, path)?;
        Ok(Value::Null)
    }

    fn text(&mut self, text: String, path: &Path<'_>) -> Result<Value, ValueError> {
        self.take(heap(text.len()), path)?;
        let text = Value::String(text);
        self.count(&text, path)?;
        Ok(text)
    }

    /// Counts the name of a member and its colon.
    fn name(&mut self, name: &str, path: &Path<'_>) -> Result<(), ValueError> {
        self.take(heap(name.len()), path)?;
        self.count(name, path)?;
        self.text.take(1).map_err(|_| ValueError::too_long(path))
    }

    fn array(&mut self, length: usize, path: &Path<'_>) -> Result<Vec<Value>, ValueError> {
        self.brackets(length, path)?;
        self.take(heap(length.saturating_mul(size_of::<Value>())), path)?;
        Ok(Vec::with_capacity(length))
    }

    fn object(&mut self, length: usize, path: &Path<'_>) -> Result<Map<String, Value>, ValueError> {
        self.brackets(length, path)?;
        // `Map` keeps a vector of members and a hash table of indices.
        let member = size_of::<(u64, String, Value)>();
        self.take(heap(length.saturating_mul(member)), path)?;
        let slots = length.saturating_mul(2).next_power_of_two();
        self.take(heap(slots.saturating_mul(size_of::<usize>() + 1)), path)?;
        Ok(Map::with_capacity(length))
    }

    /// Counts the brackets and the commas of this many items.
    fn brackets(&mut self, items: usize, path: &Path<'_>) -> Result<(), ValueError> {
        let commas = items.saturating_sub(1) as u64;
        self.text
            .take(2 + commas)
            .map_err(|_| ValueError::too_long(path))
    }

    fn count(
        &mut self,
        json: &(impl Serialize + ?Sized),
        path: &Path<'_>,
    ) -> Result<(), ValueError> {
        serde_json::to_writer(&mut self.text, json).map_err(|_| ValueError::too_long(path))
    }

    fn take(&mut self, bytes: usize, path: &Path<'_>) -> Result<(), ValueError> {
        self.budget
            .take(bytes)
            .map_err(|_| ValueError::too_large(path))
    }
}

impl Text {
    fn take(&mut self, bytes: u64) -> io::Result<()> {
        let left = self.0.checked_sub(bytes);
        self.0 = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes.len() as u64)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn no_json(value: &Val, path: &Path<'_>) -> ValueError {
    let what = match value {
        Val::Resource(_) => "it is a resource",
        Val::Future(_) => "it is a future",
        Val::Stream(_) => "it is a stream",
        Val::ErrorContext(_) => "it is an error context",
        _ => "it is not of the declared type",
    };
    ValueError::no_json(path, what)
}
