use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SecretError;
use crate::policy::{EnvironmentRule, ValueSource};

/// Most characters of an invalid name that an error shows.
const SHOWN: usize = 64;

/// The name of a secret, which is also the environment variable that a policy grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretKey(String);

impl SecretKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretKey {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let rule = EnvironmentRule::new(text, ValueSource::Secret);
        let rule = rule.map_err(|_| SecretError::Key {
            text: text.chars().take(SHOWN).collect(),
        })?;
        Ok(SecretKey(rule.key))
    }
}

impl TryFrom<String> for SecretKey {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl Borrow<str> for SecretKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
