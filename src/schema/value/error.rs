//! Errors of converting values.

use serde_json::Value;

use super::path::Path;
use crate::error::{Class, Diagnose};

/// A value that does not fit its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct ValueError {
    path: String,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("is wrong: expected {expected}, found {found}")]
    Mismatch { expected: String, found: String },
    #[error("is missing: expected {expected}")]
    Missing { expected: String },
    #[error("is not known here")]
    Unknown { known: Vec<String> },
    #[error("cannot be written in JSON: {what}")]
    NoJson { what: &'static str },
    #[error("is nested too deep")]
    TooDeep,
    #[error("and what stands before it need more memory than there is")]
    TooLarge,
    #[error("and what stands before it are too long as JSON")]
    TooLong,
}

impl ValueError {
    /// The path of the value, such as `args.items[3].price`.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn new(path: &Path<'_>, problem: Problem) -> Self {
        ValueError {
            path: path.to_string(),
            problem,
        }
    }

    pub(super) fn mismatch(path: &Path<'_>, expected: impl Into<String>, found: &Value) -> Self {
        Self::found(path, expected, seen(found))
    }

    pub(super) fn found(
        path: &Path<'_>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let problem = Problem::Mismatch {
            expected: expected.into(),
            found: found.into(),
        };
        Self::new(path, problem)
    }

    pub(super) fn missing(path: &Path<'_>, expected: impl Into<String>) -> Self {
        let expected = expected.into();
        Self::new(path, Problem::Missing { expected })
    }

    pub(super) fn unknown<'n>(path: &Path<'_>, known: impl Iterator<Item = &'n str>) -> Self {
        let known = known.map(str::to_owned).collect();
        Self::new(path, Problem::Unknown { known })
    }

    pub(super) fn no_json(path: &Path<'_>, what: &'static str) -> Self {
        Self::new(path, Problem::NoJson { what })
    }

    pub(super) fn too_large(path: &Path<'_>) -> Self {
        Self::new(path, Problem::TooLarge)
    }

    pub(super) fn too_long(path: &Path<'_>) -> Self {
        Self::new(path, Problem::TooLong)
    }

    /// Whether the JSON text of a result exceeds its limit.
    pub fn is_too_long(&self) -> bool {
        self.problem == Problem::TooLong
    }

    /// Whether the [`Budget`](super::Budget) was exhausted.
    pub fn is_too_large(&self) -> bool {
        self.problem == Problem::TooLarge
    }

    pub(super) fn too_deep(path: &Path<'_>) -> Self {
        Self::new(path, Problem::TooDeep)
    }
}

impl Diagnose for ValueError {
    fn code(&self) -> &'static str {
        match self.problem {
            Problem::NoJson { .. } => "no-json-form",
            _ => "invalid-arguments",
        }
    }

    fn class(&self) -> Class {
        match self.problem {
            Problem::NoJson { .. } => Class::Call,
            _ => Class::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Unknown { known } if known.is_empty() => {
                Some("nothing is expected here".to_owned())
            }
            Problem::Unknown { known } => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("known here: {}", names.join(", ")))
            }
            _ => None,
        }
    }
}

/// Characters of a wrong string that are shown, at most.
const MAX_SHOWN: usize = 40;

fn seen(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().nth(MAX_SHOWN).is_some() => {
            let start: String = text.chars().take(MAX_SHOWN).collect();
            format!("a string that starts with {start:?}")
        }
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
