//! Describes the expected value of a type, for messages.

use wasmtime::component::Type;

use super::number;

/// The expected value of a type, for messages.
pub(super) fn expected(ty: &Type) -> String {
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

/// Names listed in a message, at most.
const MAX_LISTED: usize = 12;

pub(super) fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    match names.len() {
        0 => "nothing".to_owned(),
        1..=MAX_LISTED => format!("one of {}", names.join(", ")),
        n => format!("one of {} … ({n} in all)", names[..MAX_LISTED].join(", ")),
    }
}
