//! Who may speak to the HTTP server: bearer tokens ([RFC 6750]).
//!
//! Tokens are kept and compared as SHA-256 hashes, so that the time a
//! comparison takes tells nothing of them, and no log can show one.
//!
//! [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::share::Fault;

use crate::error::{Class, Diagnose};

/// The fewest characters of a token: what cannot be guessed over a network.
const MIN_LENGTH: usize = 16;
/// The largest token file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Who is served over HTTP.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Everyone; the server listens on the loopback address only.
    #[default]
    Loopback,
    /// Who shows one of these tokens.
    Tokens(Tokens),
    /// Everyone who can reach the address, whatever it is.
    Nobody,
}

/// The tokens that open the server, as hashes.
#[derive(Clone, Debug)]
pub struct Tokens(Vec<Credential>);

/// Whose request it is: the hash of the token it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp) struct Credential([u8; 32]);

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

    fn parse(text: &str, path: &Path) -> Result<Self, TokenError> {
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

    /// The token a request shows, if it is one of these.
    fn admit(&self, headers: &HeaderMap, door: Door) -> Result<Credential, TokenRefusal> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or(TokenRefusal::NoToken)?;
        if values.next().is_some() {
            return Err(TokenRefusal::WrongToken);
        }
        let (scheme, token) = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .ok_or(TokenRefusal::WrongToken)?;
        let shown = door
            .shown(scheme, token.trim())
            .ok_or(TokenRefusal::WrongToken)?;
        let Tokens(known) = self;
        // All of them are looked at, so that the place of a match is not told.
        let matches = known.iter().fold(0, |found, token| {
            found | token.0.ct_eq(&shown.0).unwrap_u8()
        });
        if matches == 1 {
            Ok(shown)
        } else {
            Err(TokenRefusal::WrongToken)
        }
    }
}

/// Where a request wants in.
#[derive(Clone, Copy)]
enum Door {
    /// By a bearer token.
    Server,
    /// Also by a token as the password of any user, which is what registry
    /// clients know ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
    Registry,
}

impl Door {
    fn shown(self, scheme: &str, value: &str) -> Option<Credential> {
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Credential::of(value.as_bytes()));
        }
        match self {
            Door::Registry if scheme.eq_ignore_ascii_case("basic") => {
                let pair = BASE64_STANDARD.decode(value).ok()?;
                let colon = pair.iter().position(|byte| *byte == b':')?;
                Some(Credential::of(&pair[colon + 1..]))
            }
            _ => None,
        }
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

impl Credential {
    fn of(token: &[u8]) -> Self {
        Credential(Sha256::digest(token).into())
    }

    /// Enough of the hash to tell credentials apart in a log.
    pub(in crate::mcp) fn label(&self) -> String {
        self.0[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenRefusal {
    NoToken,
    WrongToken,
}

/// Middleware: 401 for requests without a token, where one is wanted. What is
/// let through carries its [`Credential`].
pub(super) async fn check(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Auth::Tokens(tokens) = &*auth {
        match tokens.admit(request.headers(), Door::Server) {
            Ok(credential) => {
                request.extensions_mut().insert(credential);
            }
            Err(refusal) => {
                tracing::warn!(?refusal, "refused a request");
                return refusal.into_response();
            }
        }
    }
    next.run(request).await
}

/// Middleware: the same for what is shared, as registries say it.
pub(super) async fn check_registry(
    State(auth): State<Arc<Auth>>,
    request: Request,
    next: Next,
) -> Result<Response, Fault> {
    if let Auth::Tokens(tokens) = &*auth
        && let Err(refusal) = tokens.admit(request.headers(), Door::Registry)
    {
        // Clients ask without a token first.
        if refusal == TokenRefusal::WrongToken {
            tracing::warn!(?refusal, "refused a request");
        }
        return Err(Fault::Unauthorized);
    }
    Ok(next.run(request).await)
}

impl IntoResponse for TokenRefusal {
    fn into_response(self) -> Response {
        let (challenge, text) = match self {
            TokenRefusal::NoToken => ("Bearer", "Unauthorized: a bearer token is needed\n"),
            TokenRefusal::WrongToken => (
                "Bearer error=\"invalid_token\"",
                "Unauthorized: not a token of this server\n",
            ),
        };
        let headers = [(header::WWW_AUTHENTICATE, challenge)];
        (StatusCode::UNAUTHORIZED, headers, text).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "abcdefghijklmnop";

    fn parse(text: &str) -> Result<Tokens, TokenError> {
        Tokens::parse(text, Path::new("tokens"))
    }

    fn admit(values: &[&str]) -> Result<Credential, TokenRefusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("authorization", value.parse().unwrap());
        }
        let tokens = parse(&format!("{GOOD}\n\n  second/token+here==  \r\n")).unwrap();
        tokens.admit(&headers, Door::Server)
    }

    #[test]
    fn every_token_of_the_file_opens() {
        let first = admit(&[&format!("Bearer {GOOD}")]).unwrap();
        let second = admit(&["bearer  second/token+here=="]).unwrap();
        assert_ne!(first, second);
        assert_eq!(first.label().len(), 8);
    }

    #[test]
    fn nothing_else_does() {
        assert_eq!(admit(&[]), Err(TokenRefusal::NoToken));
        let good = format!("Bearer {GOOD}");
        for values in [
            vec![GOOD],
            vec!["Bearer"],
            vec!["Bearer "],
            vec!["Basic abcdefghijklmnop"],
            vec!["Bearer abcdefghijklmno"],
            vec!["Bearer abcdefghijklmnopq"],
            vec!["Bearer ABCDEFGHIJKLMNOP"],
            vec![&good, &good],
        ] {
            assert_eq!(admit(&values), Err(TokenRefusal::WrongToken), "{values:?}");
        }
    }

    #[test]
    fn a_registry_also_takes_a_token_as_any_users_password() {
        let tokens = parse(GOOD).unwrap();
        let admit = |value: String, door| {
            let mut headers = HeaderMap::new();
            headers.append("authorization", value.parse().unwrap());
            tokens.admit(&headers, door)
        };
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for user in ["anyone", ""] {
            let shown = basic(&format!("{user}:{GOOD}"));
            assert!(admit(shown.clone(), Door::Registry).is_ok(), "{user}");
            assert_eq!(admit(shown, Door::Server), Err(TokenRefusal::WrongToken));
        }
        assert!(admit(format!("Bearer {GOOD}"), Door::Registry).is_ok());
        let wrong = [
            "x:abcdefghijklmno",
            "abcdefghijklmnop",
            "abcdefghijklmnop:",
            ":",
            "",
        ];
        for shown in wrong
            .map(basic)
            .into_iter()
            .chain(["Basic !".into(), "Basic".into()])
        {
            let refused = Err(TokenRefusal::WrongToken);
            assert_eq!(admit(shown.clone(), Door::Registry), refused, "{shown}");
        }
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
