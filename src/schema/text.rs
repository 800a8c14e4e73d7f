//! Text from a component, made fit to be shown to people and to models.

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
        if c != '\n' && is_invisible(c) {
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

/// Unicode's `Cc`, `Cf`, `Co` and `Cn` where they hide text, and the letters
/// that are drawn as nothing.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{13440}' | '\u{16fe4}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}
