//! The tokens of the HTTP server, and the file that lists them.
//!
//! Tokens are kept and compared as SHA-256 hashes, so that the time of a comparison
//! reveals nothing about them, and no log can contain one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::error::{Class, Diagnose, Report};

/// Shortest token, in characters, so that it cannot be guessed over a network.
const MIN_LENGTH: usize = 16;
/// Largest token file, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// How often the file is read again. Its bytes are compared, not its times, so that
/// every replacement is noticed.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the last tokens stay valid while the file cannot be read, for example
/// because it is being written.
const GRACE: Duration = Duration::from_secs(60);

/// The valid tokens, as hashes, and the file that lists them.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    known: watch::Sender<Vec<Credential>>,
}

/// Identifies a client by the hash of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credential([u8; 32]);

impl Credential {
    pub(super) fn of(token: &[u8]) -> Self {
        Credential(Sha256::digest(token).into())
    }

    /// The start of the hash, to tell credentials apart in a log.
    pub fn label(&self) -> String {
        let first = &self.0[..4];
        first.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The reason why a token file was refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("Failed to read the token file `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("The token file `{}` is not a regular file", path.display())]
    NotFile { path: PathBuf },
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
            TokenError::Read { .. } | TokenError::NotFile { .. } => return None,
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
    /// Reads a file with one token per line; empty lines are ignored.
    ///
    /// Warns when other users can read the file, which is common for mounted secrets.
    ///
    /// # Errors
    ///
    /// [`TokenError`] when it cannot be read, other users can change it, a token is
    /// too short or invalid, or there is none.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let (known, exposure) = read(path)?;
        if exposure == Exposure::Readable {
            tracing::warn!("other users can read the token file `{}`", path.display());
        }
        Ok(Tokens::of(known, path))
    }

    pub(super) fn of(known: Vec<Credential>, path: &Path) -> Self {
        Tokens(Arc::new(Shared {
            path: path.to_owned(),
            known: watch::Sender::new(known),
        }))
    }

    /// Whether `shown` is one of the tokens. Compares it with all of them, so that
    /// the time does not depend on which one matches.
    pub(super) fn contains(&self, shown: &Credential) -> bool {
        let Tokens(shared) = self;
        let known = shared.known.borrow();
        let found = known.iter().fold(0, |found, token| {
            found | token.0.ct_eq(&shown.0).unwrap_u8()
        });
        found == 1
    }

    /// How many tokens there are.
    pub(super) fn count(&self) -> usize {
        self.0.known.borrow().len()
    }

    /// Receives every change of the tokens.
    pub(super) fn changes(&self) -> watch::Receiver<Vec<Credential>> {
        self.0.known.subscribe()
    }

    /// Reads the file at once, and returns how many tokens are valid now.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); the tokens then stay as they are for now.
    pub async fn reload(&self) -> Result<usize, TokenError> {
        let Tokens(shared) = self;
        let path = shared.path.clone();
        // Fails only while the runtime shuts down.
        if let Ok(result) = tokio::task::spawn_blocking(move || read(&path)).await {
            shared.replace(result?.0);
        }
        Ok(self.count())
    }

    /// Reads the file repeatedly while this is polled. If it cannot be read or is invalid, the
    /// last tokens stay valid for [`GRACE`]; after that no token is valid.
    pub(super) async fn follow(self) {
        let Tokens(shared) = self;
        let mut failing: Option<(Instant, String)> = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let path = shared.path.clone();
            let result = match tokio::task::spawn_blocking(move || read(&path)).await {
                Ok(result) => result,
                // The runtime is shutting down.
                Err(_) => return,
            };
            let error = match result {
                Ok((tokens, _)) => {
                    failing = None;
                    shared.replace(tokens);
                    continue;
                }
                Err(error) => Report::new(&error).to_string(),
            };
            let (since, known) = failing.get_or_insert_with(|| (Instant::now(), String::new()));
            if *known != error {
                tracing::warn!("the tokens stay as they are for now: {error}");
                known.clone_from(&error);
            }
            if since.elapsed() > GRACE {
                shared.replace(Vec::new());
            }
        }
    }
}

impl Shared {
    fn replace(&self, tokens: Vec<Credential>) {
        let changed = self.known.send_if_modified(|known| {
            let changed = *known != tokens;
            *known = tokens;
            changed
        });
        if changed {
            let (path, count) = (self.path.display(), self.known.borrow().len());
            tracing::info!("the token file `{path}` changed: {count} tokens are valid now");
        }
    }
}

/// Whether other users may read the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exposure {
    Private,
    Readable,
}

fn read(path: &Path) -> Result<(Vec<Credential>, Exposure), TokenError> {
    let failed = |source| TokenError::Read {
        path: path.into(),
        source,
    };
    let file = open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(TokenError::NotFile { path: path.into() });
    }
    let exposure = exposure(&metadata).ok_or_else(|| TokenError::Writable { path: path.into() })?;
    let mut text = String::new();
    let limit = MAX_FILE + 1;
    file.take(limit).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 == limit {
        return Err(TokenError::TooLarge { path: path.into() });
    }
    Ok((parse(&text, path)?, exposure))
}

/// Opens the file; does not block on a pipe without a writer.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        // The flag fits in the type that `custom_flags` takes.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Vec<Credential>, TokenError> {
    let mut tokens = Vec::new();
    for (index, token) in crate::text::without_bom(text)
        .lines()
        .map(str::trim)
        .enumerate()
    {
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
    Ok(tokens)
}

/// The characters of RFC 6750's `b64token`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// `None` when other users can change the file.
#[cfg(unix)]
fn exposure(metadata: &std::fs::Metadata) -> Option<Exposure> {
    use std::os::unix::fs::PermissionsExt;

    let mode = metadata.permissions().mode();
    match (mode & 0o022, mode & 0o044) {
        (0, 0) => Some(Exposure::Private),
        (0, _) => Some(Exposure::Readable),
        _ => None,
    }
}

#[cfg(not(unix))]
fn exposure(_: &std::fs::Metadata) -> Option<Exposure> {
    Some(Exposure::Private)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "abcdefghijklmnop";

    fn parse(text: &str) -> Result<Vec<Credential>, TokenError> {
        super::parse(text, Path::new("tokens"))
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

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_token() {
        let plain = parse(GOOD).unwrap();
        assert_eq!(parse(&format!("\u{feff}{GOOD}\r\n")).unwrap(), plain);
    }
}
