//! Text from a component, made fit to be shown to people and to models.

use crate::text::is_invisible;

/// The most characters of one description.
pub(super) const MAX_DESCRIPTION: usize = 2_000;

/// Removes what cannot be seen and shortens the rest to `limit` characters.
///
/// A model reads what a person who reviews the text does not see: control and
/// format characters, tags, and fillers carry hidden instructions.
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
