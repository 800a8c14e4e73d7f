//! A reference that does not parse, with the place marked.

use std::fmt;

use super::GRAMMAR;
use crate::error::{Class, Diagnose};
use crate::text::is_unprintable;

/// The widest excerpt shown, in characters.
const WIDTH: usize = 100;

/// A text that is not a reference.
///
/// Its message shows the text with a caret under the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidReference {
    excerpt: String,
    /// Characters of the excerpt before the place.
    column: usize,
    reason: String,
}

impl InvalidReference {
    /// `at` is the byte offset of the place in `text`.
    pub(super) fn new(text: &str, at: usize, reason: impl Into<String>) -> Self {
        let place = text
            .char_indices()
            .take_while(|(offset, _)| *offset < at)
            .count();
        // A long text is cut so that the place stays in sight.
        let start = (place + WIDTH / 4).saturating_sub(WIDTH);
        let excerpt = text
            .chars()
            .skip(start)
            .take(WIDTH)
            .map(|c| {
                if is_unprintable(c) || c == '\t' {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect();
        InvalidReference {
            excerpt,
            column: place - start,
            reason: reason.into(),
        }
    }

    /// What is wrong at the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Where it is wrong: characters of the shown text before the place.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for InvalidReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Invalid reference: {}\n    {}\n    {:column$}^",
            self.reason,
            self.excerpt,
            "",
            column = self.column
        )
    }
}

impl std::error::Error for InvalidReference {}

impl Diagnose for InvalidReference {
    fn code(&self) -> &'static str {
        "invalid-reference"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(GRAMMAR.to_owned())
    }
}
