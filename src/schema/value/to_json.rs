//! Component values to JSON, led by the type.

use base64::Engine as _;
use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

use super::error::ValueError;
use super::number;
use super::path::Path;
use super::{BASE64, MAX_DEPTH};
use crate::schema::names::property_name;

pub(super) fn value(value: &Val, ty: &Type, path: &Path<'_>) -> Result<Value, ValueError> {
    if path.depth() > MAX_DEPTH {
        return Err(ValueError::too_deep(path));
    }
    Ok(match (value, ty) {
        (Val::Bool(value), Type::Bool) => (*value).into(),
        (Val::S8(value), Type::S8) => (*value).into(),
        (Val::U8(value), Type::U8) => (*value).into(),
        (Val::S16(value), Type::S16) => (*value).into(),
        (Val::U16(value), Type::U16) => (*value).into(),
        (Val::S32(value), Type::S32) => (*value).into(),
        (Val::U32(value), Type::U32) => (*value).into(),
        (Val::S64(value), Type::S64) => (*value).into(),
        (Val::U64(value), Type::U64) => (*value).into(),
        (Val::Float32(value), Type::Float32) => number::from_float32(*value),
        (Val::Float64(value), Type::Float64) => number::from_float64(*value),
        (Val::Char(value), Type::Char) => value.to_string().into(),
        (Val::String(value), Type::String) => value.as_str().into(),
        (Val::Enum(name), Type::Enum(_)) => name.as_str().into(),
        (Val::Flags(names), Type::Flags(_)) => names.as_slice().into(),
        (Val::List(items), Type::List(list)) => self::list(items, &list.ty(), path)?,
        (Val::FixedLengthList(items), Type::FixedLengthList(list)) => {
            all(items, &list.ty(), path)?.into()
        }
        (Val::Tuple(items), Type::Tuple(tuple)) if items.len() == tuple.types().len() => items
            .iter()
            .zip(tuple.types())
            .enumerate()
            .map(|(index, (item, ty))| self::value(item, &ty, &path.index(index)))
            .collect::<Result<_, _>>()?,
        (Val::Record(values), Type::Record(record)) if values.len() == record.fields().len() => {
            let mut object = Map::with_capacity(values.len());
            for ((name, field), known) in values.iter().zip(record.fields()) {
                let json = self::value(field, &known.ty, &path.field(name))?;
                object.insert(property_name(name).into_owned(), json);
            }
            object.into()
        }
        (Val::Map(entries), Type::Map(map)) => self::map(entries, &map.key(), &map.value(), path)?,
        (Val::Variant(name, payload), Type::Variant(variant)) => {
            let case = variant.cases().find(|case| case.name == name);
            let ty = case.and_then(|case| case.ty);
            case_of(name, payload.as_deref(), ty, path)?
        }
        (Val::Option(None), Type::Option(_)) => Value::Null,
        (Val::Option(Some(inner)), Type::Option(option)) => match option.ty() {
            ty @ Type::Option(_) => single("some", self::value(inner, &ty, &path.field("some"))?),
            ty => self::value(inner, &ty, path)?,
        },
        (Val::Result(Ok(inner)), Type::Result(result)) => {
            let json = payload(inner.as_deref(), result.ok(), &path.field("ok"))?;
            single("ok", json)
        }
        (Val::Result(Err(inner)), Type::Result(result)) => {
            let json = payload(inner.as_deref(), result.err(), &path.field("err"))?;
            single("err", json)
        }
        _ => return Err(no_json(value, path)),
    })
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

fn all(items: &[Val], ty: &Type, path: &Path<'_>) -> Result<Vec<Value>, ValueError> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| value(item, ty, &path.index(index)))
        .collect()
}

fn list(items: &[Val], ty: &Type, path: &Path<'_>) -> Result<Value, ValueError> {
    if *ty != Type::U8 {
        return Ok(all(items, ty, path)?.into());
    }
    let byte = |item: &Val| match item {
        Val::U8(byte) => Ok(*byte),
        _ => Err(no_json(item, path)),
    };
    let bytes: Vec<u8> = items.iter().map(byte).collect::<Result<_, _>>()?;
    Ok(BASE64.encode(bytes).into())
}

/// A key that comes twice has its last value, as the component model says.
fn map(
    entries: &[(Val, Val)],
    key: &Type,
    item: &Type,
    path: &Path<'_>,
) -> Result<Value, ValueError> {
    if *key == Type::String {
        let mut object = Map::with_capacity(entries.len());
        for (key, entry) in entries {
            let Val::String(name) = key else {
                return Err(no_json(key, path));
            };
            object.insert(name.clone(), value(entry, item, &path.field(name))?);
        }
        return Ok(object.into());
    }
    let mut pairs: Vec<Value> = Vec::with_capacity(entries.len());
    for (index, (first, second)) in entries.iter().enumerate() {
        let path = path.index(index);
        let first = value(first, key, &path.index(0))?;
        let second = value(second, item, &path.index(1))?;
        pairs.push(vec![first, second].into());
    }
    Ok(pairs.into())
}

fn case_of(
    name: &str,
    inner: Option<&Val>,
    ty: Option<Type>,
    path: &Path<'_>,
) -> Result<Value, ValueError> {
    let mut object = Map::new();
    object.insert("tag".to_owned(), name.into());
    if let Some(ty) = ty {
        object.insert(
            "val".to_owned(),
            payload(inner, Some(ty), &path.field("val"))?,
        );
    }
    Ok(object.into())
}

fn payload(inner: Option<&Val>, ty: Option<Type>, path: &Path<'_>) -> Result<Value, ValueError> {
    match (inner, ty) {
        (Some(inner), Some(ty)) => value(inner, &ty, path),
        (None, None) => Ok(Value::Null),
        _ => Err(ValueError::no_json(path, "it is not of the declared type")),
    }
}

fn single(name: &str, json: Value) -> Value {
    Map::from_iter([(name.to_owned(), json)]).into()
}
