//! Times and sizes as the command line and policies write them (`30s`, `512Mi`),
//! or as a bare number in the unit of the key.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::de::{self, Deserializer, Unexpected, Visitor};

use crate::policy::{InvalidPermission, parse_bytes, parse_span};

/// A time; a bare number is seconds.
pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    time(from, Duration::from_secs)
}

/// A time; a bare number is milliseconds.
pub(super) fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    time(from, Duration::from_millis)
}

fn time<'de, D: Deserializer<'de>>(
    from: D,
    bare: fn(u64) -> Duration,
) -> Result<Option<Duration>, D::Error> {
    let quantity = Quantity {
        form: "a time, as in `30s` or `500ms`, or a whole number",
        bare,
        text: parse_span,
    };
    from.deserialize_any(quantity).map(Some)
}

/// A size; a bare number is bytes.
pub(super) fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let quantity = Quantity {
        form: "a size, as in `512Mi`, or a whole number",
        bare: |bytes| bytes,
        text: parse_bytes,
    };
    from.deserialize_any(quantity).map(Some)
}

/// A size of at least one byte, which fits in memory.
pub(super) fn some_bytes<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<NonZeroUsize>, D::Error> {
    let size = bytes(from)?.and_then(|bytes| NonZeroUsize::new(usize::try_from(bytes).ok()?));
    let wrong = || de::Error::custom("a size is at least one byte, as in `4Mi`");
    size.ok_or_else(wrong).map(Some)
}

struct Quantity<T> {
    /// Description of the expected form.
    form: &'static str,
    bare: fn(u64) -> T,
    text: fn(&str) -> Result<T, InvalidPermission>,
}

impl<T> Visitor<'_> for Quantity<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => Ok((self.bare)(number)),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.text)(text).map_err(E::custom)
    }
}
