//! JSON to component values and back.
//!
//! | WIT | JSON |
//! |---|---|
//! | `bool`, `string` | boolean, string |
//! | integers | integer; of 64 bits also a decimal string, on input |
//! | floats | number, or `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | `char` | string of one character |
//! | `list<u8>` | base64 string; also an array, on input |
//! | `list`, fixed-length list, `tuple` | array |
//! | `record`, `map<string, _>` | object |
//! | other `map` | array of `[key, value]` |
//! | `option` | `null` or the value; in an option of an option, `{"some": value}` |
//! | `variant` | `{"tag": case}` or `{"tag": case, "val": payload}` |
//! | `enum`, `flags` | string, array of strings |
//! | `result` | `{"ok": value}` or `{"err": value}` |
//!
//! Fields of type `option` may be left out. Anything unknown is an error, so
//! that a misspelt name is not silently ignored.

mod error;
mod from_json;
mod number;
mod path;
mod to_json;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

pub use error::ValueError;

use super::Outcome;
use path::Path;

/// Bytes in JSON, as RFC 4648 section 4 has them; padding may be missing on input.
const BASE64: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// Values nested deeper are refused; no valid component has such types.
const MAX_DEPTH: usize = 100;

/// What a function returned, in JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Returned {
    /// The value, `null` for none: what goes under `result`.
    Ok(Value),
    /// The error value of a WIT `result`, `null` for none.
    Err(Value),
}

/// Converts named arguments to the values of `params`, in their order.
///
/// # Errors
///
/// The first argument that is missing, unknown or of the wrong type, with its
/// path: `args.items[3].price`.
pub fn arguments(
    args: &Map<String, Value>,
    params: &[(String, Type)],
) -> Result<Vec<Val>, ValueError> {
    let path = Path::new("args");
    let fields: Vec<(&str, Type)> = params
        .iter()
        .map(|(name, ty)| (name.as_str(), ty.clone()))
        .collect();
    let values = from_json::fields(args, &fields, &path)?;
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

/// Converts one value of type `ty` from JSON. `name` starts the path in errors.
///
/// # Errors
///
/// As for [`arguments`].
pub fn from_json(json: &Value, ty: &Type, name: &str) -> Result<Val, ValueError> {
    from_json::value(json, ty, &Path::new(name))
}

/// Converts one value of type `ty` to JSON.
///
/// # Errors
///
/// When the value has no JSON form (a resource, a stream) or is not of the type.
pub fn to_json(value: &Val, ty: &Type) -> Result<Value, ValueError> {
    to_json::value(value, ty, &Path::new("result"))
}

/// Converts the results of a call; see [`Outcome`].
///
/// # Errors
///
/// As for [`to_json`].
pub fn returned(values: &[Val], types: &[Type], outcome: Outcome) -> Result<Returned, ValueError> {
    let (Some(value), Some(ty)) = (values.first(), types.first()) else {
        return Ok(Returned::Ok(Value::Null));
    };
    match (outcome, value, ty) {
        (Outcome::Result, Val::Result(Ok(value)), Type::Result(ty)) => {
            payload(value.as_deref(), ty.ok()).map(Returned::Ok)
        }
        (Outcome::Result, Val::Result(Err(value)), Type::Result(ty)) => {
            payload(value.as_deref(), ty.err()).map(Returned::Err)
        }
        _ => to_json(value, ty).map(Returned::Ok),
    }
}

fn payload(value: Option<&Val>, ty: Option<Type>) -> Result<Value, ValueError> {
    match (value, ty) {
        (Some(value), Some(ty)) => to_json(value, &ty),
        _ => Ok(Value::Null),
    }
}
