//! JSON to component values and back.
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
//! Fields of type `option` may be left out. Anything unknown is an error, so
//! that a misspelt name is not silently ignored. [`lenient`] has what is taken
//! besides, from clients and models that write values in another way.
//!
//! Memory is charged to a [`Budget`] before it is allocated.

mod budget;
mod charged;
mod error;
mod expected;
mod from_json;
pub mod lenient;
mod number;
mod path;
mod to_json;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

pub use budget::{Allowance, Budget, Spent, heap};
pub use error::ValueError;

use super::Outcome;
use charged::Reader;
use path::Path;
use to_json::{Text, Writer};

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

/// What the JSON of a result may take.
pub struct Room<'b> {
    /// The server's memory.
    pub memory: &'b mut dyn Budget,
    /// Bytes of text; what is left of them afterwards.
    pub text: &'b mut u64,
}

/// Converts named arguments to the values of `params`, in their order.
///
/// # Errors
///
/// The first argument that is missing, unknown or of the wrong type, with its
/// path: `args.items[3].price`; or the first for which the memory is spent.
pub fn arguments(
    args: &Map<String, Value>,
    params: &[(String, Type)],
    memory: &mut dyn Budget,
) -> Result<Vec<Val>, ValueError> {
    let fields: Vec<(&str, Type)> = params
        .iter()
        .map(|(name, ty)| (name.as_str(), ty.clone()))
        .collect();
    let values = Reader { budget: memory }.fields(args, &fields, &Path::new("args"))?;
    Ok(values.into_iter().map(|(_, value)| value).collect())
}

/// Converts the results of a call; see [`Outcome`].
///
/// # Errors
///
/// When a value has no JSON form (a resource, a stream) or is not of the type,
/// or when there is no room for the JSON.
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
