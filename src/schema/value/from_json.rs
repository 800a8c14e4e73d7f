//! JSON to component values, led by the type.

use base64::Engine as _;
use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

use super::error::ValueError;
use super::number;
use super::path::Path;
use super::{BASE64, MAX_DEPTH};
use crate::schema::names::property_name;

pub(super) fn value(json: &Value, ty: &Type, path: &Path<'_>) -> Result<Val, ValueError> {
    if path.depth() > MAX_DEPTH {
        return Err(ValueError::too_deep(path));
    }
    let mismatch = || ValueError::mismatch(path, expected(ty), json);
    if let Some(value) = number::integer(json, ty) {
        return value.ok_or_else(mismatch);
    }
    match ty {
        Type::Bool => json.as_bool().map(Val::Bool).ok_or_else(mismatch),
        Type::Float32 => number::float32(json).map(Val::Float32).ok_or_else(mismatch),
        Type::Float64 => number::float64(json).map(Val::Float64).ok_or_else(mismatch),
        Type::Char => json
            .as_str()
            .and_then(only_char)
            .map(Val::Char)
            .ok_or_else(mismatch),
        Type::String => json
            .as_str()
            .map(|text| Val::String(text.to_owned()))
            .ok_or_else(mismatch),
        Type::Enum(ty) => json
            .as_str()
            .filter(|name| ty.names().any(|known| known == *name))
            .map(|name| Val::Enum(name.to_owned()))
            .ok_or_else(mismatch),
        Type::List(list) => match (list.ty(), json) {
            (Type::U8, Value::String(text)) => bytes(text).ok_or_else(mismatch),
            (item, Value::Array(items)) => Ok(Val::List(all(items, &item, path)?)),
            _ => Err(mismatch()),
        },
        Type::FixedLengthList(list) => match json {
            Value::Array(items) if u32::try_from(items.len()) == Ok(list.len()) => {
                Ok(Val::FixedLengthList(all(items, &list.ty(), path)?))
            }
            _ => Err(mismatch()),
        },
        Type::Tuple(tuple) => match json {
            Value::Array(items) if items.len() == tuple.types().len() => {
                Ok(Val::Tuple(each(items, tuple.types(), path)?))
            }
            _ => Err(mismatch()),
        },
        Type::Record(record) => {
            let object = json.as_object().ok_or_else(mismatch)?;
            let known: Vec<(&str, Type)> = record.fields().map(|it| (it.name, it.ty)).collect();
            Ok(Val::Record(fields(object, &known, path)?))
        }
        Type::Map(map) => entries(json, &map.key(), &map.value(), path)?.ok_or_else(mismatch),
        Type::Variant(variant) => {
            let cases: Vec<(&str, Option<Type>)> =
                variant.cases().map(|it| (it.name, it.ty)).collect();
            case(json, &cases, path)?.ok_or_else(mismatch)
        }
        Type::Option(option) => self::option(json, &option.ty(), path),
        Type::Result(result) => either(json, result.ok(), result.err(), path)?.ok_or_else(mismatch),
        Type::Flags(flags) => {
            let known: Vec<&str> = flags.names().collect();
            self::flags(json, &known, path)?.ok_or_else(mismatch)
        }
        Type::Own(_) | Type::Borrow(_) => Err(ValueError::no_json(path, "it is a resource")),
        Type::Future(_) => Err(ValueError::no_json(path, "it is a future")),
        Type::Stream(_) => Err(ValueError::no_json(path, "it is a stream")),
        Type::ErrorContext => Err(ValueError::no_json(path, "it is an error context")),
        // The integers were handled above.
        _ => Err(mismatch()),
    }
}

/// The fields of an object, in the order of the type.
pub(super) fn fields(
    object: &Map<String, Value>,
    known: &[(&str, Type)],
    path: &Path<'_>,
) -> Result<Vec<(String, Val)>, ValueError> {
    let is_known = |name: &str| {
        let mut known = known.iter().map(|(known, _)| *known);
        known.any(|known| known == name || property_name(known) == name)
    };
    if let Some(name) = object.keys().find(|name| !is_known(name)) {
        let names: Vec<_> = known.iter().map(|(name, _)| property_name(name)).collect();
        let names = names.iter().map(AsRef::as_ref);
        return Err(ValueError::unknown(&path.field(name), names));
    }
    let field = |(name, ty): &(&str, Type)| {
        let path = path.field(name);
        // Schemas have a short name for a long one.
        let json = object
            .get(&*property_name(name))
            .or_else(|| object.get(*name));
        let value = match (json, ty) {
            (Some(json), _) => value(json, ty, &path)?,
            (None, Type::Option(_)) => Val::Option(None),
            (None, _) => return Err(ValueError::missing(&path, expected(ty))),
        };
        Ok(((*name).to_owned(), value))
    };
    known.iter().map(field).collect()
}

fn all(items: &[Value], ty: &Type, path: &Path<'_>) -> Result<Vec<Val>, ValueError> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| value(item, ty, &path.index(index)))
        .collect()
}

fn each(
    items: &[Value],
    types: impl Iterator<Item = Type>,
    path: &Path<'_>,
) -> Result<Vec<Val>, ValueError> {
    items
        .iter()
        .zip(types)
        .enumerate()
        .map(|(index, (item, ty))| value(item, &ty, &path.index(index)))
        .collect()
}

/// The functions below give `None` for JSON of the wrong shape.
fn entries(
    json: &Value,
    key: &Type,
    item: &Type,
    path: &Path<'_>,
) -> Result<Option<Val>, ValueError> {
    let entries: Result<Vec<(Val, Val)>, ValueError> = match (key, json) {
        (Type::String, Value::Object(object)) => object
            .iter()
            .map(|(name, json)| {
                let item = value(json, item, &path.field(name))?;
                Ok((Val::String(name.clone()), item))
            })
            .collect(),
        (Type::String, _) => return Ok(None),
        (_, Value::Array(pairs)) => pairs
            .iter()
            .enumerate()
            .map(|(index, pair)| pair_of(pair, key, item, &path.index(index)))
            .collect(),
        _ => return Ok(None),
    };
    Ok(Some(Val::Map(entries?)))
}

fn pair_of(
    json: &Value,
    key: &Type,
    item: &Type,
    path: &Path<'_>,
) -> Result<(Val, Val), ValueError> {
    match json.as_array().map(Vec::as_slice) {
        Some([first, second]) => Ok((
            value(first, key, &path.index(0))?,
            value(second, item, &path.index(1))?,
        )),
        _ => Err(ValueError::mismatch(
            path,
            "an array of a key and a value",
            json,
        )),
    }
}

fn case(
    json: &Value,
    cases: &[(&str, Option<Type>)],
    path: &Path<'_>,
) -> Result<Option<Val>, ValueError> {
    let Some(object) = json.as_object() else {
        return Ok(None);
    };
    let tag_path = path.field("tag");
    let tag = object
        .get("tag")
        .ok_or_else(|| ValueError::missing(&tag_path, names_of(cases)))?;
    let found = tag
        .as_str()
        .and_then(|tag| cases.iter().find(|(name, _)| *name == tag));
    let Some((name, ty)) = found else {
        return Err(ValueError::mismatch(&tag_path, names_of(cases), tag));
    };
    let payload = match ty {
        Some(ty) => fields(&without_tag(object), &[("val", ty.clone())], path)?.pop(),
        None => {
            fields(&without_tag(object), &[], path)?;
            None
        }
    };
    let payload = payload.map(|(_, value)| Box::new(value));
    Ok(Some(Val::Variant((*name).to_owned(), payload)))
}

fn without_tag(object: &Map<String, Value>) -> Map<String, Value> {
    let rest = object.iter().filter(|(name, _)| *name != "tag");
    rest.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn names_of(cases: &[(&str, Option<Type>)]) -> String {
    one_of(cases.iter().map(|(name, _)| *name))
}

fn option(json: &Value, ty: &Type, path: &Path<'_>) -> Result<Val, ValueError> {
    if json.is_null() {
        return Ok(Val::Option(None));
    }
    let value = match (ty, json) {
        (Type::Option(_), Value::Object(object)) => {
            // The inner option must be there: left out, it could mean either.
            let path = path.field("some");
            match (object.get("some"), object.len()) {
                (Some(json), 1) => value(json, ty, &path)?,
                _ => return Err(ValueError::mismatch(&path, SOME, json)),
            }
        }
        (Type::Option(_), _) => return Err(ValueError::mismatch(path, SOME, json)),
        _ => value(json, ty, path)?,
    };
    Ok(Val::Option(Some(Box::new(value))))
}

const SOME: &str = "null or {\"some\": value}";

fn either(
    json: &Value,
    ok: Option<Type>,
    err: Option<Type>,
    path: &Path<'_>,
) -> Result<Option<Val>, ValueError> {
    let side = match json.as_object() {
        Some(object) if object.len() == 1 => object.iter().next(),
        _ => None,
    };
    Ok(match side {
        Some((name, json)) if name == "ok" => {
            Some(Val::Result(Ok(payload(json, ok, &path.field("ok"))?)))
        }
        Some((name, json)) if name == "err" => {
            Some(Val::Result(Err(payload(json, err, &path.field("err"))?)))
        }
        _ => None,
    })
}

fn payload(
    json: &Value,
    ty: Option<Type>,
    path: &Path<'_>,
) -> Result<Option<Box<Val>>, ValueError> {
    match ty {
        Some(ty) => Ok(Some(Box::new(value(json, &ty, path)?))),
        None if json.is_null() => Ok(None),
        None => Err(ValueError::mismatch(path, "null", json)),
    }
}

fn flags(json: &Value, known: &[&str], path: &Path<'_>) -> Result<Option<Val>, ValueError> {
    let Some(items) = json.as_array() else {
        return Ok(None);
    };
    let mut names: Vec<String> = Vec::with_capacity(items.len().min(known.len()));
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        match item.as_str().filter(|name| known.contains(name)) {
            Some(name) if names.iter().any(|seen| seen == name) => {
                return Err(ValueError::found(&path, "each flag once", "it again"));
            }
            Some(name) => names.push(name.to_owned()),
            None => {
                let expected = one_of(known.iter().copied());
                return Err(ValueError::mismatch(&path, expected, item));
            }
        }
    }
    Ok(Some(Val::Flags(names)))
}

fn bytes(text: &str) -> Option<Val> {
    let bytes = BASE64.decode(text).ok()?;
    Some(Val::List(bytes.into_iter().map(Val::U8).collect()))
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// What a type expects, in words.
fn expected(ty: &Type) -> String {
    if let Some(range) = number::range(ty) {
        return range;
    }
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::Float32 | Type::Float64 => {
            "a number, \"NaN\", \"Infinity\" or \"-Infinity\"".to_owned()
        }
        Type::Char => "a string of one character".to_owned(),
        Type::String => "a string".to_owned(),
        Type::List(list) if list.ty() == Type::U8 => "bytes as a base64 string".to_owned(),
        Type::List(_) => "an array".to_owned(),
        Type::FixedLengthList(list) => format!("an array of {}", list.len()),
        Type::Tuple(tuple) => format!("an array of {}", tuple.types().len()),
        Type::Record(_) => "an object".to_owned(),
        Type::Map(map) if map.key() == Type::String => "an object".to_owned(),
        Type::Map(_) => "an array of arrays of a key and a value".to_owned(),
        Type::Variant(_) => "an object with `tag`, and `val` where the case has one".to_owned(),
        Type::Enum(ty) => one_of(ty.names()),
        Type::Option(option) => format!("null or {}", expected(&option.ty())),
        Type::Result(_) => "{\"ok\": value} or {\"err\": value}".to_owned(),
        Type::Flags(_) => "an array of strings".to_owned(),
        _ => "a value that JSON can hold".to_owned(),
    }
}

/// The most names that are listed in a message.
const MAX_LISTED: usize = 12;

fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        1..=MAX_LISTED => format!("one of {}", names.join(", ")),
        n => format!("one of {} … ({n} in all)", names[..MAX_LISTED].join(", ")),
    }
}
