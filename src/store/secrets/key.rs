use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SecretError;

/// Bytes.
const MAX_LEN: usize = 128;

/// The name of a secret, which follows the [rules][posix] for the names of
/// environment variables; lower case is allowed.
///
/// [posix]: https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html
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
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let digit_first = text.as_bytes().first().is_none_or(u8::is_ascii_digit);
        if digit_first || text.len() > MAX_LEN || !text.bytes().all(plain) {
            return Err(SecretError::Key {
                text: text.chars().take(MAX_LEN).collect(),
            });
        }
        Ok(SecretKey(text.to_owned()))
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
