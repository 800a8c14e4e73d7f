//! The error for an invalid reference.

use std::fmt;

use super::GRAMMAR;
use crate::error::{Class, Diagnose};
use crate::text::is_unprintable;

/// Most characters of the reference that a message shows.
const WIDTH: usize = 100;

/// A text that is not a valid reference.
///
/// The message shows the text and a caret under the position of the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidReference {
    excerpt: String,
    /// Characters of the excerpt before the position of the error.
    column: usize,
    reason: String,
}

impl InvalidReference {
    /// `at` is the byte offset of the error in `text`.
    pub(super) fn new(text: &str, at: usize, reason: impl Into<String>) -> Self {
        let place = text
            .char_indices()
            .take_while(|(offset, _)| *offset < at)
            .count();
        // Cut a long text so that the position stays visible.
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

    /// Returns the reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the position: the number of shown characters before it.
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
