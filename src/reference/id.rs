//! Ids of installed components.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Class, Diagnose};

/// Longest id, in characters.
const MAX_LENGTH: usize = 64;

/// The id of an installed component: 1 to 64 characters of `[a-z0-9-]`,
/// without `-` at either end. Safe as a file name and as the prefix of a tool
/// name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ComponentId(String);

impl ComponentId {
    /// Parses an id without changing it.
    ///
    /// # Errors
    ///
    /// If the text is not a valid id.
    pub fn parse(text: &str) -> Result<Self, InvalidComponentId> {
        let invalid = |reason| InvalidComponentId::new(text, reason);
        if text.is_empty() {
            return Err(invalid("it is empty"));
        }
        if text.len() > MAX_LENGTH {
            return Err(invalid("it is longer than 64 characters"));
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(invalid("an id can contain only a-z, 0-9 and `-`"));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(invalid("an id must not start or end with `-`"));
        }
        Ok(ComponentId(text.to_owned()))
    }

    /// Makes an id from any name: letters become lower case, each run of other
    /// characters becomes one `-`, and the result is cut to 64 characters.
    ///
    /// # Errors
    ///
    /// If the name has no ASCII letter or digit.
    pub fn fold(name: &str) -> Result<Self, InvalidComponentId> {
        let mut id = String::new();
        for c in name.chars() {
            if c.is_ascii_alphanumeric() {
                id.push(c.to_ascii_lowercase());
            } else if !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
            if id.len() == MAX_LENGTH {
                break;
            }
        }
        id.truncate(id.trim_end_matches('-').len());
        if id.is_empty() {
            return Err(InvalidComponentId::new(
                name,
                "it contains no ASCII letter or digit",
            ));
        }
        Ok(ComponentId(id))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ComponentId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ComponentId {
    type Err = InvalidComponentId;

    fn from_str(text: &str) -> Result<Self, InvalidComponentId> {
        ComponentId::parse(text)
    }
}

impl TryFrom<String> for ComponentId {
    type Error = InvalidComponentId;

    fn try_from(text: String) -> Result<Self, InvalidComponentId> {
        ComponentId::parse(&text)
    }
}

impl From<ComponentId> for String {
    fn from(id: ComponentId) -> String {
        id.0
    }
}

/// A text that is not a component id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a component id: {reason}")]
pub struct InvalidComponentId {
    text: String,
    reason: &'static str,
}

impl InvalidComponentId {
    fn new(text: &str, reason: &'static str) -> Self {
        InvalidComponentId {
            text: text.chars().filter(|c| !c.is_control()).take(96).collect(),
            reason,
        }
    }
}

impl Diagnose for InvalidComponentId {
    fn code(&self) -> &'static str {
        "invalid-component-id"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("give an id of 1 to 64 characters from a-z, 0-9 and `-` with `--name`".to_owned())
    }
}
