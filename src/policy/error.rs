//! Errors of a permissions document and of single permissions.

use std::fmt;

use crate::error::{Class, Diagnose};
use crate::text::is_unprintable;

/// Most characters of an invalid text that a message shows.
const WIDTH: usize = 200;

/// Position in a document: line and column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

impl Place {
    pub(super) const START: Place = Place { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A permissions document was rejected.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("The policy has {size} bytes; at most {limit} are read")]
    TooLarge { size: usize, limit: usize },
    #[error("The policy cannot be read as YAML at {at}: {problem}")]
    Malformed { at: Place, problem: String },
    /// `path` leads to the value, such as `permissions.network.allow[0].host`; it is empty for the
    /// whole document.
    #[error("The policy is wrong at {at}{}: {problem}", shown(path))]
    Invalid {
        at: Place,
        path: String,
        problem: String,
    },
}

fn shown(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!(" (`{path}`)"),
    }
}

impl Diagnose for PolicyError {
    fn code(&self) -> &'static str {
        "invalid-policy"
    }

    fn class(&self) -> Class {
        Class::InvalidComponent
    }

    fn hint(&self) -> Option<String> {
        Some(
            "docs/policy.md describes every key; `wassette policy schema` prints the JSON Schema"
                .to_owned(),
        )
    }
}

/// A value that does not parse: a host, a network, a storage URI, a size and
/// so on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: {reason}")]
pub struct InvalidPermission {
    kind: &'static str,
    text: String,
    reason: String,
}

impl InvalidPermission {
    /// `kind` is the expected kind of value, with its article, such as `a host`.
    pub(super) fn new(kind: &'static str, text: &str, reason: impl Into<String>) -> Self {
        InvalidPermission {
            kind,
            text: excerpt(text),
            reason: reason.into(),
        }
    }
}

impl Diagnose for InvalidPermission {
    fn code(&self) -> &'static str {
        "invalid-permission"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("docs/policy.md has examples of every kind of permission".to_owned())
    }
}

/// Shortens untrusted text for a message and replaces control and invisible
/// characters.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(WIDTH)
        .map(|c| {
            if is_unprintable(c) || c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(WIDTH).is_some() {
        shown.push('…');
    }
    shown
}
