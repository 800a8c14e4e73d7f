//! Lengths of time in days, hours, minutes and seconds.

use crate::Units;
use crate::exports::examples::units::duration::{Guest, Parts, Style};

/// Seconds in a day, an hour, a minute and a second, with their letters and words.
const STEPS: [(u64, char, &str); 4] = [
    (86_400, 'd', "day"),
    (3600, 'h', "hour"),
    (60, 'm', "minute"),
    (1, 's', "second"),
];

impl Guest for Units {
    fn split(seconds: u64) -> Parts {
        let [days, hours, minutes, seconds] = amounts(seconds);
        // All parts but the days are below 60.
        Parts {
            days,
            hours: hours as u8,
            minutes: minutes as u8,
            seconds: seconds as u8,
        }
    }

    fn write(seconds: u64, style: Style) -> String {
        let mut words = Vec::new();
        for (amount, (_, letter, word)) in amounts(seconds).into_iter().zip(STEPS) {
            if amount == 0 && style.contains(Style::SKIP_ZEROS) {
                continue;
            }
            words.push(if style.contains(Style::SHORT) {
                format!("{amount}{letter}")
            } else {
                format!("{amount} {word}{}", if amount == 1 { "" } else { "s" })
            });
        }
        words.join(" ")
    }

    fn read(text: String) -> Result<u64, String> {
        let mut total = 0u64;
        for word in text.split_whitespace() {
            let seconds = word_seconds(word).ok_or_else(|| {
                format!("`{word}` is not a number followed by d, h, m or s (or is too large)")
            })?;
            total = total
                .checked_add(seconds)
                .ok_or("the duration is too long")?;
        }
        Ok(total)
    }
}

fn amounts(seconds: u64) -> [u64; 4] {
    let mut rest = seconds;
    STEPS.map(|(step, ..)| {
        let amount = rest / step;
        rest %= step;
        amount
    })
}

fn word_seconds(word: &str) -> Option<u64> {
    let letter = word.chars().next_back()?;
    let (step, ..) = STEPS.into_iter().find(|(_, l, _)| *l == letter)?;
    let amount: u64 = word[..word.len() - letter.len_utf8()].parse().ok()?;
    amount.checked_mul(step)
}
