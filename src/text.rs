//! Makes untrusted text safe for terminals, log lines and agents.
//!
//! Text from a component, a registry, a client or a file can contain escape
//! sequences, characters that reorder or hide other text, and line breaks that
//! imitate output of this program. [`Foreign`] holds such a text and displays
//! it escaped, on one line, and cut. Text that is assembled from several parts
//! is also passed through [`printable`] when it is output: errors in
//! [`crate::error::Report`], log lines and data in `cli`.

use std::borrow::Cow;
use std::fmt;
use std::io;

use serde::{Serialize, Serializer};
use serde_json::ser::{Formatter, PrettyFormatter};

/// Most characters of an untrusted text that are shown.
const SHOWN: usize = 400;
/// Most suggestions for an unknown word.
const SUGGESTIONS: usize = 3;
/// Longest word, in bytes, for which suggestions are computed. A longer one is not a typo, and
/// slow to compare.
const COMPARED: usize = 128;

/// An untrusted text.
///
/// `Display` and `Serialize` give one line of at most 400 characters, with
/// control and invisible characters escaped (`\u{202e}`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foreign(String);

impl Foreign {
    pub fn new(text: impl Into<String>) -> Self {
        Foreign(text.into())
    }

    /// Returns the original text, for comparisons. Never show it to a person or an agent.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Foreign {
    fn from(text: T) -> Self {
        Foreign::new(text)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line(&self.0))
    }
}

impl Serialize for Foreign {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&line(&self.0))
    }
}

/// Escapes the text to one line and cuts it to 400 characters.
pub fn line(text: &str) -> String {
    let (shown, rest) = match text.char_indices().nth(SHOWN) {
        Some((end, _)) => (&text[..end], "…"),
        None => (text, ""),
    };
    let mut line = String::with_capacity(shown.len());
    escape(shown, |c| matches!(c, '\n' | '\t'), &mut line);
    line + rest
}

/// Escapes control and invisible characters, except line breaks and tabs.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut printable = String::with_capacity(text.len());
    escape(text, |_| false, &mut printable);
    Cow::Owned(printable)
}

fn escape(text: &str, also: impl Fn(char) -> bool, escaped: &mut String) {
    let mut before = ' ';
    for c in text.chars() {
        // After a symbol, U+FE0F selects its emoji form and hides nothing.
        let pictured = c == '\u{fe0f}' && !before.is_alphanumeric() && !before.is_ascii();
        if also(c) {
            escaped.extend(c.escape_default());
        } else if is_unprintable(c) && !pictured {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
        before = c;
    }
}

/// Whether a character is a control or an invisible character, other than line
/// feed and tab.
pub fn is_unprintable(c: char) -> bool {
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || breaks || is_invisible(c)
}

/// Whether a character is invisible or changes the direction of text: the characters of Unicode's
/// categories `Cf`, `Co` and `Cn` that can hide text, and letters without a visible form. Control
/// characters are not included, since some of them are white space.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{13440}' | '\u{16fe4}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// Formats JSON on several lines, with unprintable characters as JSON escapes: the data is
/// unchanged and safe to print on a terminal.
pub fn json_pretty(data: &impl Serialize) -> serde_json::Result<String> {
    json(data, PrettyFormatter::new())
}

/// Removes the byte order mark that editors on Windows put before UTF-8.
pub fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Like [`without_bom`], for bytes that may be text.
pub fn bytes_without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// Formats JSON on one line, escaped like [`json_pretty`].
pub fn json_line(data: &impl Serialize) -> serde_json::Result<String> {
    json(data, serde_json::ser::CompactFormatter)
}

fn json(data: &impl Serialize, formatter: impl Formatter) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let escaping = Escaping(formatter);
    data.serialize(&mut serde_json::Serializer::with_formatter(
        &mut bytes, escaping,
    ))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A JSON formatter that also escapes unprintable characters.
struct Escaping<F>(F);

/// Delegates methods to the wrapped formatter.
macro_rules! inner {
    ($($name:ident($($arg:ident: $kind:ty)?)),* $(,)?) => {$(
        fn $name<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $arg: $kind)?) -> io::Result<()> {
            self.0.$name(writer $(, $arg)?)
        }
    )*};
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        let mut from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_unprintable(*c)) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            from = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }

    inner! {
        begin_array(), end_array(), begin_array_value(first: bool), end_array_value(),
        begin_object(), end_object(), begin_object_key(first: bool),
        begin_object_value(), end_object_value(),
    }
}

/// Returns the known words most similar to an unknown one, the nearest first, at most three. For
/// suggestions such as "did you mean".
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if word.is_empty() || word.len() > COMPARED {
        return Vec::new();
    }
    let word = word.to_ascii_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|known| (strsim::osa_distance(&word, known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .collect();
    near.sort_unstable();
    near.truncate(SUGGESTIONS);
    near.into_iter().map(|(_, known)| known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An escape sequence, a C1 control, reordering, tags, and a line of its own.
    const EVIL: &str = "a\u{1b}[31m\u{9b}\u{202e}b\u{200b}\u{e0041}\u{2028}\nhint: run it";

    #[test]
    fn what_is_seen_is_visible() {
        assert!("a é\u{a0}中🌤".chars().all(|c| !is_invisible(c)));
        assert!("\u{ad}\u{200b}\u{202e}\u{e0041}".chars().all(is_invisible));
    }

    #[test]
    fn foreign_text_is_one_line_that_can_be_seen() {
        let line = "a\\u{1b}[31m\\u{9b}\\u{202e}b\\u{200b}\\u{e0041}\\u{2028}\\nhint: run it";
        let foreign = Foreign::new(EVIL);
        assert_eq!(foreign.to_string(), line);
        assert_eq!(serde_json::to_value(&foreign).unwrap(), line);
        assert_eq!(foreign.raw(), EVIL);
        let long = Foreign::new("é".repeat(SHOWN + 1)).to_string();
        assert_eq!(long, "é".repeat(SHOWN) + "…");
        assert_eq!(Foreign::new("é".repeat(SHOWN)).to_string().len(), 2 * SHOWN);
    }

    #[test]
    fn printable_text_keeps_its_lines() {
        assert_eq!(printable("a\n\tb 中 🌤\u{fe0f}"), "a\n\tb 中 🌤\u{fe0f}");
        assert_eq!(printable("a\u{fe0f}\r\n"), "a\\u{fe0f}\\u{d}\n");
        assert!(printable(EVIL).ends_with("\nhint: run it"));
    }

    #[test]
    fn json_is_the_same_data_and_harmless() {
        let data = serde_json::json!({ EVIL: [EVIL, { "n": 1.5 }, [], {}] });
        for text in [json_pretty(&data).unwrap(), json_line(&data).unwrap()] {
            assert_eq!(printable(&text), text);
            let back: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(back, data);
        }
        let plain = serde_json::json!({ "a": ["é", 1], "b": {} });
        let expected = serde_json::to_string_pretty(&plain).unwrap();
        assert_eq!(json_pretty(&plain).unwrap(), expected);
    }

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["network", "storage", "environment", "resources"];
        assert_eq!(nearest("netwrok", known), ["network"]);
        assert_eq!(nearest("Storage", known), ["storage"]);
        assert_eq!(nearest("enviroment", known), ["environment"]);
        assert_eq!(nearest("", known), [""; 0]);
        assert_eq!(nearest("ipc", known), [""; 0]);
        assert_eq!(nearest(&"x".repeat(COMPARED + 1), known), [""; 0]);
        assert_eq!(nearest("ad", ["add", "sub"]), ["add"]);
    }
}
