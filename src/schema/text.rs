//! Cleans text from components before people and models read it.

use crate::text::is_invisible;

/// Most characters of a description.
pub(super) const MAX_DESCRIPTION: usize = 2_000;

/// Removes invisible characters and cuts the text to `limit` characters.
///
/// Models read characters that human reviewers cannot see, so control and
/// format characters, tags and fillers can carry hidden instructions.
pub fn clean(text: &str, limit: usize) -> String {
    let mut clean = String::new();
    let mut length = 0;
    for c in text.chars() {
        let c = match c {
            '\t' | '\u{2028}' | '\u{2029}' | '\u{a0}' => ' ',
            c => c,
        };
        if c != '\n' && (c.is_control() || is_invisible(c)) {
            continue;
        }
        if length == limit {
            clean.push('…');
            return clean;
        }
        clean.push(c);
        length += 1;
    }
    let trimmed = clean.trim();
    if trimmed.len() == clean.len() {
        clean
    } else {
        trimmed.to_owned()
    }
}
