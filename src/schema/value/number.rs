//! Conversion of numbers, with range checks.

use serde_json::{Number, Value};
use wasmtime::component::{Type, Val};

use super::lenient;

/// 2^53: up to here, doubles represent all integers.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Converts to an integer type. The outer `None` means that `ty` is not an
/// integer type, the inner one that the JSON is not an integer in its range.
pub(super) fn integer(json: &Value, ty: &Type) -> Option<Option<Val>> {
    fn within<T: TryFrom<i128>>(number: Option<i128>, val: impl Fn(T) -> Val) -> Option<Val> {
        number.and_then(|number| T::try_from(number).ok()).map(val)
    }
    Some(match ty {
        Type::U8 => within(whole(json), Val::U8),
        Type::U16 => within(whole(json), Val::U16),
        Type::U32 => within(whole(json), Val::U32),
        Type::S8 => within(whole(json), Val::S8),
        Type::S16 => within(whole(json), Val::S16),
        Type::S32 => within(whole(json), Val::S32),
        Type::U64 => within(whole(json), Val::U64),
        Type::S64 => within(whole(json), Val::S64),
        _ => return None,
    })
}

/// Accepts `5`, `5.0`, which is an integer in JSON Schema, and `"5"`, from
/// clients that read numbers as doubles or send all arguments as strings.
fn whole(json: &Value) -> Option<i128> {
    let number = match json {
        Value::String(text) => return lenient::integer(text),
        Value::Number(number) => number,
        _ => return None,
    };
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let number = number.as_f64()?;
    (number.fract() == 0.0 && number.abs() <= MAX_EXACT).then_some(number as i128)
}

/// The range of an integer type, for messages; `None` for other types.
pub(super) fn range(ty: &Type) -> Option<String> {
    fn words(min: impl std::fmt::Display, max: impl std::fmt::Display) -> String {
        format!("an integer from {min} to {max}")
    }
    Some(match ty {
        Type::U8 => words(u8::MIN, u8::MAX),
        Type::U16 => words(u16::MIN, u16::MAX),
        Type::U32 => words(u32::MIN, u32::MAX),
        Type::U64 => words(u64::MIN, u64::MAX),
        Type::S8 => words(i8::MIN, i8::MAX),
        Type::S16 => words(i16::MIN, i16::MAX),
        Type::S32 => words(i32::MIN, i32::MAX),
        Type::S64 => words(i64::MIN, i64::MAX),
        _ => return None,
    })
}

pub(super) fn float64(json: &Value) -> Option<f64> {
    match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => lenient::number(text)?.as_f64(),
        },
        _ => None,
    }
}

/// Rounds to the nearest `f32`; `None` if a finite number would become
/// infinite.
pub(super) fn float32(json: &Value) -> Option<f32> {
    let wide = float64(json)?;
    let narrow = wide as f32;
    (wide.is_finite() == narrow.is_finite()).then_some(narrow)
}

pub(super) fn from_float64(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// Converts to the shortest decimal that rounds back to the same `f32`: `0.1`,
/// not `0.10000000149011612`.
pub(super) fn from_float32(value: f32) -> Value {
    let exact = f64::from(value);
    let short: f64 = value.to_string().parse().unwrap_or(exact);
    from_float64(if short as f32 == value { short } else { exact })
}
