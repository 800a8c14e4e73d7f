//! Converts between JSON and component values.
//!
//! | WIT | JSON |
//! |---|---|
//! | `bool`, `string` | boolean, string |
//! | integers | integer; also a decimal string, on input |
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
//! Fields of type `option` may be omitted. Unknown fields are errors, so that a
//! misspelt name is not ignored silently. Names of fields, cases and flags may differ
//! in case, hyphens and underscores where one name is meant. [`lenient`] accepts more
//! on input, for clients and models that write values differently.
//!
//! Memory is charged to a [`Budget`] before it is allocated.

mod budget;
mod cases;
mod charged;
mod error;
mod expected;
mod fields;
mod from_json;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod lenient;
mod number;
mod path;
mod spelled;
mod to_json;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

pub use budget::{Allowance, Budget, Spent, heap};
pub use error::ValueError;
pub use spelled::Respelled;

use super::Outcome;
use charged::Reader;
use path::Path;
use to_json::{Text, Writer};

/// The base64 of RFC 4648 section 4; padding is optional on input.
const BASE64: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// Nesting of values, at most. No valid component has deeper types.
const MAX_DEPTH: usize = 100;

/// The outcome of a call as JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Returned {
    /// The value, to be put under `result`; `null` if there is none.
    Ok(Value),
    /// The error value of a WIT `result`; `null` if it has none.
    Err(Value),
}

/// Limits of the JSON of a result.
pub struct Room<'b> {
    /// The budget of the server's memory.
    pub memory: &'b mut dyn Budget,
    /// Bytes of JSON text. Updated to the remaining bytes.
    pub text: &'b mut u64,
}

/// Arguments as component values.
#[derive(Debug, PartialEq)]
pub struct Converted {
    /// In the order of the parameters.
    pub values: Vec<Val>,
    /// The names that were given in another spelling; the first ones of many.
    pub respelled: Vec<Respelled>,
}

/// Converts named arguments to the values of `params`.
///
/// # Errors
///
/// The first argument that is missing, unknown, of the wrong type, or for which
/// the memory budget is exhausted; with its path, such as
/// `args.items[3].price`.
pub fn arguments(
    args: &Map<String, Value>,
    params: &[(String, Type)],
    memory: &mut dyn Budget,
) -> Result<Converted, ValueError> {
    let fields: Vec<(&str, Type)> = params
        .iter()
        .map(|(name, ty)| (name.as_str(), ty.clone()))
        .collect();
    let mut reader = Reader::new(memory);
    let values = reader.fields(args, &fields, &Path::new("args"))?;
    Ok(Converted {
        values: values.into_iter().map(|(_, value)| value).collect(),
        respelled: reader.respelled,
    })
}

/// Converts the results of a call; see [`Outcome`].
///
/// # Errors
///
/// If a value has no JSON form (a resource, a stream), is not of the declared
/// type, or exceeds the limits.
pub fn returned(
    values: Vec<Val>,
    types: &[Type],
    outcome: Outcome,
    room: Room<'_>,
) -> Result<Returned, ValueError> {
    let (Some(value), Some(ty)) = (values.into_iter().next(), types.first()) else {
        return Ok(Returned::Ok(Value::Null));
    };
    let path = Path::new("result");
    let mut writer = Writer {
        budget: room.memory,
        text: Text(*room.text),
    };
    let returned = match (outcome, value, ty) {
        (Outcome::Result, Val::Result(Ok(value)), Type::Result(ty)) => {
            writer.payload(value, ty.ok(), &path).map(Returned::Ok)
        }
        (Outcome::Result, Val::Result(Err(value)), Type::Result(ty)) => {
            writer.payload(value, ty.err(), &path).map(Returned::Err)
        }
        (_, value, ty) => writer.value(value, ty, &path).map(Returned::Ok),
    };
    *room.text = writer.text.0;
    returned
}
