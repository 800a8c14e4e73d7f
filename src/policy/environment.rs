//! Permissions for environment variables.

use std::fmt;

use super::error::InvalidPermission;

/// Largest key, in bytes.
const LONGEST: usize = 256;

/// Largest value, in bytes.
const LONGEST_VALUE: usize = 32 * 1024;

/// The source of a variable's value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum ValueSource {
    /// The component's secret of this name, or else the variable in the server's own environment.
    Inherit,
    /// A value given in the policy itself.
    Value(String),
    /// The component's secret of this name, never the server's variable.
    Secret,
}

impl ValueSource {
    /// Creates a [`ValueSource::Value`].
    ///
    /// # Errors
    ///
    /// [`InvalidPermission`] if the value contains a null byte or is longer than 32 KiB. The error
    /// does not repeat the value.
    pub fn value(value: String) -> Result<Self, InvalidPermission> {
        let reason = match value {
            value if value.contains('\0') => "it contains a null byte",
            value if value.len() > LONGEST_VALUE => "it is longer than 32 KiB",
            value => return Ok(ValueSource::Value(value)),
        };
        Err(InvalidPermission::new("a variable's value", "…", reason))
    }
}

/// Leaves values out because they may be confidential.
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
    /// [`InvalidPermission`] when `key` is not a valid name of a variable.
    pub fn new(key: &str, source: ValueSource) -> Result<Self, InvalidPermission> {
        let wrong = |reason: &str| InvalidPermission::new("an environment variable", key, reason);
        let first = key.chars().next().ok_or_else(|| wrong("it has no name"))?;
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if first.is_ascii_digit() || !key.chars().all(named) {
            return Err(wrong(
                "a key can contain only letters, digits, `_`, `-` and `.`, and must not begin with a digit",
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

/// The environment variables that the component sees. All others are hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentPermissions {
    pub allow: Vec<EnvironmentRule>,
}
