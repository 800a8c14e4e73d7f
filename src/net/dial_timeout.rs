//! Durations as containerd and Go write them: `500ms`, `2s`, `1m30s`.

use std::time::Duration;

use serde::Deserialize;

/// Time limit for establishing a connection; more than zero, at most an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct DialTimeout(Duration);

impl DialTimeout {
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for DialTimeout {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        const HOUR: f64 = 3600.0;
        seconds(&text)
            .filter(|seconds| *seconds > 0.0 && *seconds <= HOUR)
            .map(|seconds| DialTimeout(Duration::from_secs_f64(seconds)))
            .ok_or_else(|| format!("`{text}` is not a time up to an hour, such as `500ms` or `2s`"))
    }
}

/// Parses a sum of numbers with units to seconds.
fn seconds(text: &str) -> Option<f64> {
    let mut sum = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(unit_at);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    Some(sum)
}
