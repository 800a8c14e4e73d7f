//! Which environment variables a component sees.

use std::fmt;

use super::error::InvalidPermission;

/// Characters of a key, at most.
const LONGEST: usize = 256;

/// Bytes of a value, at most.
const LONGEST_VALUE: usize = 32 * 1024;

/// Where a variable's value comes from.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ValueSource {
    /// The component's secret of this name, else the server's own variable.
    Inherit,
    /// The value stands in the policy.
    Value(String),
    /// The component's secret of this name alone.
    Secret,
}

impl ValueSource {
    /// A value that stands in the policy.
    ///
    /// # Errors
    ///
    /// [`InvalidPermission`] when it cannot be the value of a variable.
    pub fn value(value: String) -> Result<Self, InvalidPermission> {
        let reason = match value {
            value if value.contains('\0') => "it holds a null byte",
            value if value.len() > LONGEST_VALUE => "it is longer than 32 KiB",
            value => return Ok(ValueSource::Value(value)),
        };
        Err(InvalidPermission::new("a variable's value", "…", reason))
    }
}

/// Values may be confidential.
impl fmt::Debug for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueSource::Inherit => "Inherit",
            ValueSource::Value(_) => "Value(…)",
            ValueSource::Secret => "Secret",
        })
    }
}

/// One variable that the component sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvironmentRule {
    pub key: String,
    pub source: ValueSource,
}

impl EnvironmentRule {
    /// # Errors
    ///
    /// [`InvalidPermission`] when `key` is not a variable's name.
    pub fn new(key: &str, source: ValueSource) -> Result<Self, InvalidPermission> {
        let wrong = |reason: &str| InvalidPermission::new("an environment variable", key, reason);
        let first = key.chars().next().ok_or_else(|| wrong("it has no name"))?;
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if first.is_ascii_digit() || !key.chars().all(named) {
            return Err(wrong(
                "a key has letters, digits, `_`, `-` and `.`, and does not begin with a digit",
            ));
        }
        if key.len() > LONGEST {
            return Err(wrong("a key has at most 256 characters"));
        }
        Ok(EnvironmentRule {
            key: key.to_owned(),
            source,
        })
    }
}

/// The variables that the component sees; it sees no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentPermissions {
    pub allow: Vec<EnvironmentRule>,
}
