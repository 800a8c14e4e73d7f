//! How long ago: hours, days and weeks.

use std::time::Duration;

const HOUR: u64 = 3600;
const UNITS: [(char, u64); 3] = [('h', HOUR), ('d', 24 * HOUR), ('w', 7 * 24 * HOUR)];

/// `12h`, `30d`, `4w`.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let form = || "a whole number of hours, days or weeks, as in `12h`, `30d` or `4w`".to_owned();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let (unit, seconds) = unit.ok_or_else(form)?;
    let number = text.strip_suffix(*unit).unwrap_or_default();
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(form());
    }
    let number: u64 = number.parse().map_err(|_| form())?;
    let seconds = number.checked_mul(*seconds);
    Ok(Duration::from_secs(seconds.ok_or_else(form)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_whole_numbers_with_a_unit() {
        for (text, hours) in [("0h", 0), ("720h", 720), ("30d", 720), ("4w", 672)] {
            assert_eq!(
                parse_age(text),
                Ok(Duration::from_secs(hours * HOUR)),
                "{text}"
            );
        }
        for text in [
            "",
            "h",
            "30",
            "30m",
            "-1d",
            "+1d",
            "1.5d",
            " 1d",
            "1 d",
            "1D",
            "99999999999999999999h",
            "9999999999999999w",
        ] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }
}
