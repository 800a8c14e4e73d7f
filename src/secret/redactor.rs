//! Takes secrets out of texts.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Secret, StreamRedactor, forms};

/// Bytes; a shorter secret would take harmless words out of every text.
pub const SHORTEST: usize = 4;
/// What stands in the place of a secret.
const MASK: &str = "[redacted]";

/// Finds the secrets of one component, plain and in the usual encodings.
///
/// Keeps accidents from showing a secret; no redactor can stop a component
/// that wants to give away what it was trusted with. Without secrets it costs
/// nothing. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Patterns>>);

pub(super) struct Patterns {
    finder: AhoCorasick,
    /// Bytes of the longest form.
    pub longest: usize,
}

impl Redactor {
    /// A redactor of these secrets, except those shorter than [`SHORTEST`].
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let patterns: Vec<Zeroizing<String>> = secrets.into_iter().flat_map(forms::of).collect();
        let Some(longest) = patterns.iter().map(|form| form.len()).max() else {
            return Redactor(None);
        };
        let finder = AhoCorasick::builder()
            // Small, whatever the secrets' sizes.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns.iter().map(|form| form.as_bytes()));
        // Fails beyond 2 GiB of patterns, a thousand times what a store holds.
        let finder = finder.expect("the secrets are bounded");
        Redactor(Some(Arc::new(Patterns { finder, longest })))
    }

    /// The text without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(patterns) = &self.0 else {
            return text.into();
        };
        if !patterns.finder.is_match(text) {
            return text.into();
        }
        let mut clean = String::new();
        // A form is valid UTF-8, so that every match is at the borders of characters.
        let mask = |_: &_, _: &str, clean: &mut String| {
            clean.push_str(MASK);
            true
        };
        patterns.finder.replace_all_with(text, &mut clean, mask);
        clean.into()
    }

    /// Takes secrets out of a text in its place.
    pub fn clean(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.text(text) {
            *text = clean;
        }
    }

    /// Takes secrets out of every text and name in a value.
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

    /// For text that comes in pieces; none without secrets.
    pub fn stream(&self) -> Option<StreamRedactor> {
        self.0.clone().map(StreamRedactor::new)
    }
}

impl Patterns {
    /// Cleans the part of `bytes` in which no match can begin that needs more
    /// bytes than are there, and returns how many bytes that was.
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
