//! The tokens that open the HTTP server.
//!
//! They are kept and compared as SHA-256 hashes, so that the time a comparison
//! takes tells nothing of them, and no log can show one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Class, Diagnose};

/// The fewest characters of a token: what cannot be guessed over a network.
const MIN_LENGTH: usize = 16;
/// The largest token file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The tokens that open the server, as hashes.
#[derive(Clone, Debug)]
pub struct Tokens(Vec<Credential>);

/// Whose request it is: the hash of the token that it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credential([u8; 32]);

impl Credential {
    pub(super) fn of(token: &[u8]) -> Self {
        Credential(Sha256::digest(token).into())
    }

    /// Enough of the hash to tell credentials apart in a log.
    pub fn label(&self) -> String {
        let first = &self.0[..4];
        first.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Why a token file was refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("Failed to read the token file `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("Other users can change the token file `{}`", path.display())]
    Writable { path: PathBuf },
    #[error("The token file `{}` is larger than {MAX_FILE} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("The token file `{}` has no token in it", path.display())]
    Empty { path: PathBuf },
    #[error("The token in line {line} of `{}` is shorter than {MIN_LENGTH} characters", path.display())]
    TooShort { path: PathBuf, line: usize },
    #[error("The token in line {line} of `{}` has a character that tokens cannot have", path.display())]
    Character { path: PathBuf, line: usize },
}

impl Diagnose for TokenError {
    fn code(&self) -> &'static str {
        "invalid-auth-token"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let path = match self {
            TokenError::Read { .. } => return None,
            TokenError::Writable { path } => {
                return Some(format!("`chmod 600 {}`", path.display()));
            }
            TokenError::TooLarge { path }
            | TokenError::Empty { path }
            | TokenError::TooShort { path, .. }
            | TokenError::Character { path, .. } => path,
        };
        let path = path.display();
        Some(format!(
            "one token a line, of letters, digits and `-._~+/=`: \
             `(umask 077; openssl rand -hex 32 > {path})`"
        ))
    }
}

impl Tokens {
    /// Reads a file of tokens, one a line; empty lines are passed over.
    ///
    /// Warns when other users can read the file: mounted secrets often are so.
    ///
    /// # Errors
    ///
    /// [`TokenError`] when it cannot be read, other users can change it, or a
    /// token is too short or none.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::Read {
            path: path.into(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        check_mode(&file, path).map_err(failed)??;
        let mut text = String::new();
        let limit = MAX_FILE + 1;
        file.take(limit).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 == limit {
            return Err(TokenError::TooLarge { path: path.into() });
        }
        Tokens::parse(&text, path)
    }

    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, TokenError> {
        let mut tokens = Vec::new();
        for (index, token) in text.lines().map(str::trim).enumerate() {
            let (path, line) = (path.to_owned(), index + 1);
            if token.is_empty() {
                continue;
            }
            if !token.bytes().all(is_token_byte) {
                return Err(TokenError::Character { path, line });
            }
            if token.len() < MIN_LENGTH {
                return Err(TokenError::TooShort { path, line });
            }
            tokens.push(Credential::of(token.as_bytes()));
        }
        if tokens.is_empty() {
            return Err(TokenError::Empty { path: path.into() });
        }
        Ok(Tokens(tokens))
    }

    /// Whether `shown` is one of these. All of them are compared, so that the
    /// time tells nothing of the place of a match.
    pub(super) fn contains(&self, shown: &Credential) -> bool {
        let Tokens(known) = self;
        let found = known.iter().fold(0, |found, token| {
            found | token.0.ct_eq(&shown.0).unwrap_u8()
        });
        found == 1
    }
}

/// The characters of RFC 6750's `b64token`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(unix)]
fn check_mode(file: &File, path: &Path) -> io::Result<Result<(), TokenError>> {
    use std::os::unix::fs::PermissionsExt;

    let mode = file.metadata()?.permissions().mode();
    if mode & 0o022 != 0 {
        return Ok(Err(TokenError::Writable { path: path.into() }));
    }
    if mode & 0o044 != 0 {
        tracing::warn!("other users can read the token file `{}`", path.display());
    }
    Ok(Ok(()))
}

#[cfg(not(unix))]
fn check_mode(_: &File, _: &Path) -> io::Result<Result<(), TokenError>> {
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "abcdefghijklmnop";

    fn parse(text: &str) -> Result<Tokens, TokenError> {
        Tokens::parse(text, Path::new("tokens"))
    }

    #[test]
    fn bad_files_are_refused() {
        assert!(matches!(parse(" \n\n"), Err(TokenError::Empty { .. })));
        assert!(matches!(
            parse(&format!("{GOOD}\nshort")),
            Err(TokenError::TooShort { line: 2, .. })
        ));
        for text in [
            "abcdefgh ijklmnop",
            "abcdefghijklmnö-",
            "# comment of a file",
        ] {
            assert!(
                matches!(parse(text), Err(TokenError::Character { line: 1, .. })),
                "{text}"
            );
        }
    }
}
