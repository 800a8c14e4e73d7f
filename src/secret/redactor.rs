//! Replaces secrets in text.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Secret, StreamRedactor, forms};

/// Shortest secret that is redacted, in bytes. A shorter one would match harmless words.
pub const SHORTEST: usize = 4;
/// The replacement for a secret.
const MASK: &str = "[redacted]";

/// Replaces the secrets of one component, in plain text and in common
/// encodings.
///
/// Guards against accidental leaks. A malicious component can always encode a
/// secret so that no redactor finds it. Without secrets there is no cost.
/// Cloning is cheap.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Patterns>>);

pub(super) struct Patterns {
    finder: AhoCorasick,
    /// Bytes of the longest form.
    pub longest: usize,
}

impl Redactor {
    /// Creates a redactor for these secrets, except those shorter than [`SHORTEST`].
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let patterns: Vec<Zeroizing<String>> = secrets.into_iter().flat_map(forms::of).collect();
        let Some(longest) = patterns.iter().map(|form| form.len()).max() else {
            return Redactor(None);
        };
        let finder = AhoCorasick::builder()
            // Keeps memory small, even for large secrets.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns.iter().map(|form| form.as_bytes()));
        // Fails only above 2 GiB of patterns, a thousand times what a store
        // holds.
        let finder = finder.expect("the secrets are bounded");
        Redactor(Some(Arc::new(Patterns { finder, longest })))
    }

    /// Returns the text with secrets replaced.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(patterns) = &self.0 else {
            return text.into();
        };
        if !patterns.finder.is_match(text) {
            return text.into();
        }
        let mut clean = String::new();
        // Forms are valid UTF-8, so every match starts and ends at a character
        // boundary.
        let mask = |_: &_, _: &str, clean: &mut String| {
            clean.push_str(MASK);
            true
        };
        patterns.finder.replace_all_with(text, &mut clean, mask);
        clean.into()
    }

    /// Replaces secrets in place.
    pub fn clean(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.text(text) {
            *text = clean;
        }
    }

    /// Replaces secrets in all strings and member names of a JSON value.
    pub fn value(&self, value: &mut Value) {
        if self.0.is_none() {
            return;
        }
        match value {
            Value::String(text) => self.clean(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                members.values_mut().for_each(|member| self.value(member));
                if members.keys().any(|name| self.finds(name)) {
                    let taken = std::mem::take(members).into_iter();
                    *members = taken
                        .map(|(name, member)| (self.text(&name).into_owned(), member))
                        .collect();
                }
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    fn finds(&self, text: &str) -> bool {
        let patterns = self.0.as_ref();
        patterns.is_some_and(|patterns| patterns.finder.is_match(text))
    }

    /// Returns a redactor for text that arrives in chunks; `None` if there are no secrets.
    pub fn stream(&self) -> Option<StreamRedactor> {
        self.0.clone().map(StreamRedactor::new)
    }
}

impl Patterns {
    /// Appends `bytes[..decided]` to `clean` with secrets replaced, and returns
    /// how many bytes were consumed. A match that starts before `decided` is
    /// consumed whole, so this may be more than `decided`. The caller chooses
    /// `decided` so that matches starting before it lie within `bytes`.
    pub(super) fn clean(&self, bytes: &[u8], decided: usize, clean: &mut Vec<u8>) -> usize {
        let mut done = 0;
        for found in self.finder.find_iter(bytes) {
            if found.start() >= decided {
                break;
            }
            clean.extend_from_slice(&bytes[done..found.start()]);
            clean.extend_from_slice(MASK.as_bytes());
            done = found.end();
        }
        if done < decided {
            clean.extend_from_slice(&bytes[done..decided]);
            done = decided;
        }
        done
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}
