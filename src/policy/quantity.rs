//! Parsing and formatting of sizes, CPU shares and durations.

use std::fmt;
use std::time::Duration;

use super::error::InvalidPermission;

/// Units of sizes in bytes; the units with `i` are powers of 1024.
const SIZES: &[(&str, u64)] = &[
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("", 1),
];

/// Units of durations in milliseconds.
const TIMES: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
];

/// Accepted units for the time limit of a call: `ms` to `h`.
const CALL_TIMES: &[(&str, u64)] = TIMES.split_at(4).0;

/// Upper bound of the time limit of a call: one day.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Upper bound of a CPU share, in thousandths of a processor.
pub const MOST_CPU: u32 = 1_024_000;

/// Parses a number of bytes greater than zero: `512Mi`, `1Gi`, `64M`,
/// `1048576`.
pub fn parse_size(text: &str) -> Result<u64, InvalidPermission> {
    match parse_bytes(text)? {
        0 => Err(wrong_size(text, "it must be more than zero")),
        bytes => Ok(bytes),
    }
}

/// Like [`parse_size`], but accepts zero.
pub fn parse_bytes(text: &str) -> Result<u64, InvalidPermission> {
    let wrong = |reason| wrong_size(text, reason);
    let (number, unit) = split_unit(text);
    let factor = unit_of(SIZES, unit).ok_or_else(|| wrong("as in `512Mi`, `64M` or `1048576`"))?;
    let number = whole(number).ok_or_else(|| wrong("a whole number and a unit, as in `512Mi`"))?;
    number
        .checked_mul(factor)
        .ok_or_else(|| wrong("it is too large"))
}

fn wrong_size(text: &str, reason: &str) -> InvalidPermission {
    InvalidPermission::new("a size", text, reason)
}

/// Formats with the largest unit that gives a whole number.
pub fn format_size(bytes: u64) -> String {
    SIZES[..4]
        .iter()
        .rev()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(
            || bytes.to_string(),
            |(unit, factor)| format!("{}{unit}", bytes / factor),
        )
}

/// Parses the time limit of a call: `30s`, `500ms`, `2m`, `1h`; more than
/// zero, at most a day.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidPermission> {
    let wrong = |reason| wrong_duration(text, reason);
    match span(text, CALL_TIMES, "as in `30s`, `500ms` or `2m`")? {
        Duration::ZERO => Err(wrong("it must be more than zero")),
        time if time <= LONGEST => Ok(time),
        _ => Err(wrong("at most a day, `24h`")),
    }
}

/// Like [`parse_duration`], but accepts zero, any length, and the units `d`
/// and `w`: `30d`, `4w`.
pub fn parse_span(text: &str) -> Result<Duration, InvalidPermission> {
    span(text, TIMES, "as in `30m`, `12h`, `30d` or `4w`")
}

fn span(text: &str, units: &[(&str, u64)], form: &str) -> Result<Duration, InvalidPermission> {
    let wrong = |reason| wrong_duration(text, reason);
    let (number, unit) = split_unit(text);
    let factor = unit_of(units, unit).ok_or_else(|| wrong(form))?;
    let number = whole(number).ok_or_else(|| wrong("a whole number and a unit, as in `30s`"))?;
    match number.checked_mul(factor) {
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err(wrong("it is too long")),
    }
}

fn wrong_duration(text: &str, reason: &str) -> InvalidPermission {
    InvalidPermission::new("a duration", text, reason)
}

/// Formats with the largest unit that gives a whole number.
pub fn format_duration(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    CALL_TIMES
        .iter()
        .rev()
        .find(|(_, factor)| ms >= *factor && ms.is_multiple_of(*factor))
        .map_or_else(
            || format!("{ms}ms"),
            |(unit, factor)| format!("{}{unit}", ms / factor),
        )
}

/// Parses a CPU share, `500m`, `0.5` or `2`, to thousandths of a processor.
pub fn parse_cpu(text: &str) -> Result<u32, InvalidPermission> {
    let wrong = |reason: &str| InvalidPermission::new("a share of a processor", text, reason);
    let form = "as in `500m`, `0.5` or `2`";
    let millis = match text.strip_suffix('m') {
        Some(millis) => whole(millis),
        None => decimal_thousandths(text),
    };
    match millis.ok_or_else(|| wrong(form))? {
        0 => Err(wrong("it must be more than zero")),
        millis => u32::try_from(millis)
            .ok()
            .filter(|millis| *millis <= MOST_CPU)
            .ok_or_else(|| wrong("at most 1024 processors")),
    }
}

pub fn format_cpu(millis: u32) -> String {
    match millis % 1000 {
        0 => (millis / 1000).to_string(),
        _ => format!("{millis}m"),
    }
}

/// Parses `1.25` to 1250; at most three decimals.
fn decimal_thousandths(text: &str) -> Option<u64> {
    let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if decimals.is_empty() || decimals.len() > 3 {
        return None;
    }
    let decimals = whole(&format!("{decimals:0<3}"))?;
    whole(units)?.checked_mul(1000)?.checked_add(decimals)
}

/// Displays a time in seconds if it is whole seconds, else in milliseconds.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} s", self.0.as_secs()),
            _ => write!(f, "{} ms", self.0.as_millis()),
        }
    }
}

/// Displays bytes in the largest unit that divides them: `512 MiB`, `1000
/// bytes`.
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let fits = |shift: u32| self.0 >> shift > 0 && self.0.trailing_zeros() >= shift;
        match units.into_iter().find(|(shift, _)| fits(*shift)) {
            Some((shift, unit)) => write!(f, "{} {unit}", self.0 >> shift),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at(digits)
}

fn unit_of(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
}

/// Parses ASCII digits only; `str::parse` would accept a sign.
fn whole(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_numbers_with_a_unit() {
        let hour = 3600;
        for (text, seconds) in [
            ("0h", 0),
            ("90s", 90),
            ("30m", hour / 2),
            ("720h", 720 * hour),
            ("30d", 720 * hour),
            ("4w", 672 * hour),
        ] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "h",
            "30",
            "-1d",
            "+1d",
            "1.5d",
            " 1d",
            "1 d",
            "1D",
            "9999999999999999w",
        ] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_have_the_unit_that_fits() {
        let sizes = [0, 1000, 1 << 20, 512 << 20, 3 << 30, (1 << 20) + 1];
        assert_eq!(
            sizes.map(|size| Bytes(size).to_string()),
            [
                "0 bytes",
                "1000 bytes",
                "1 MiB",
                "512 MiB",
                "3 GiB",
                "1048577 bytes"
            ]
        );
    }
}
