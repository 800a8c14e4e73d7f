//! Authenticates requests by bearer tokens ([RFC 6750]).
//!
//! [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::connections::Peer;
use super::places::Owner;
use super::tokens::{Credential, Tokens};

/// The way in which clients authenticate.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// No authentication; the server listens only on the loopback address.
    #[default]
    Loopback,
    /// By one of these tokens.
    Tokens(Tokens),
    /// No authentication, on any address.
    Disabled,
}

/// The ways in which a request may carry its token.
#[derive(Clone, Copy, Debug)]
pub enum AuthScheme {
    /// `Authorization: Bearer TOKEN`.
    Bearer,
    /// Also as the password of any user, as registry clients send it ([RFC
    /// 7617](https://www.rfc-editor.org/rfc/rfc7617)).
    BearerOrBasic,
}

/// The reason why a request was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthRefusal {
    NoToken,
    WrongToken,
}

impl Auth {
    /// The tokens that are asked for.
    pub fn tokens(&self) -> Option<&Tokens> {
        match self {
            Auth::Tokens(tokens) => Some(tokens),
            _ => None,
        }
    }

    /// The credential in a request's headers; `None` where no token is needed.
    ///
    /// # Errors
    ///
    /// [`AuthRefusal`] when a token is needed and the request has none, two, or an
    /// unknown one.
    pub fn admit(
        &self,
        headers: &HeaderMap,
        scheme: AuthScheme,
    ) -> Result<Option<Credential>, AuthRefusal> {
        let Auth::Tokens(tokens) = self else {
            return Ok(None);
        };
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or(AuthRefusal::NoToken)?;
        if values.next().is_some() {
            return Err(AuthRefusal::WrongToken);
        }
        value
            .to_str()
            .ok()
            .and_then(|value| scheme.credential(value))
            .filter(|shown| tokens.contains(shown))
            .map(Some)
            .ok_or(AuthRefusal::WrongToken)
    }
}

impl Auth {
    /// Authenticates a request and adds its [`Owner`] to its extensions.
    ///
    /// # Errors
    ///
    /// Those of [`admit`](Self::admit).
    pub fn admit_request(
        &self,
        request: &mut Request,
        scheme: AuthScheme,
    ) -> Result<(), AuthRefusal> {
        let credential = self.admit(request.headers(), scheme)?;
        let peer = request.extensions().get::<Peer>();
        let owner = match (credential, peer) {
            (Some(credential), peer) => {
                if let Some(peer) = peer {
                    peer.admitted(credential);
                }
                Some(Owner::Credential(credential))
            }
            (None, peer) => peer.map(Peer::owner),
        };
        if let Some(owner) = owner {
            request.extensions_mut().insert(owner);
        }
        Ok(())
    }

    /// How many of `total` slots `owner` may have, at least one: an equal part for each token.
    /// Without tokens, a client on another machine may have half of them, and a client on this
    /// machine all.
    pub fn share(&self, owner: Owner, total: usize) -> usize {
        let share = match (self, owner) {
            (Auth::Tokens(tokens), Owner::Credential(_)) => total / tokens.count().max(1),
            (_, Owner::Address(address)) if !address.is_loopback() => total / 2,
            _ => total,
        };
        share.max(1)
    }

    /// Whether the owner's token, if it has one, is still valid.
    pub fn is_valid(&self, owner: Owner) -> bool {
        match (self, owner) {
            (Auth::Tokens(tokens), Owner::Credential(credential)) => tokens.contains(&credential),
            _ => true,
        }
    }

    /// Calls `react` whenever the valid tokens have changed, for as long as they exist.
    pub fn on_change(&self, react: impl Fn() + Send + 'static) {
        if let Auth::Tokens(tokens) = self {
            let mut changes = tokens.changes();
            tokio::spawn(async move {
                while changes.changed().await.is_ok() {
                    react();
                }
            });
        }
    }
}

impl AuthScheme {
    fn credential(self, authorization: &str) -> Option<Credential> {
        let (name, value) = authorization.split_once(' ')?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("bearer") {
            return Some(Credential::of(value.as_bytes()));
        }
        match self {
            AuthScheme::BearerOrBasic if name.eq_ignore_ascii_case("basic") => {
                let pair = BASE64_STANDARD.decode(value).ok()?;
                let colon = pair.iter().position(|byte| *byte == b':')?;
                Some(Credential::of(&pair[colon + 1..]))
            }
            _ => None,
        }
    }
}

/// Middleware: answers 401 to requests without a valid token, where one is needed.
/// Adds their [`Owner`] to the others.
pub(super) async fn check(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) = auth.admit_request(&mut request, AuthScheme::Bearer) {
        tracing::warn!(?refusal, "refused a request");
        return refusal.into_response();
    }
    next.run(request).await
}

impl IntoResponse for AuthRefusal {
    fn into_response(self) -> Response {
        let (challenge, text) = match self {
            AuthRefusal::NoToken => ("Bearer", "Unauthorized: a bearer token is needed\n"),
            AuthRefusal::WrongToken => (
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
    use std::path::Path;

    use super::*;

    const GOOD: &str = "abcdefghijklmnop";

    fn admit(values: &[&str], scheme: AuthScheme) -> Result<Option<Credential>, AuthRefusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("authorization", value.parse().unwrap());
        }
        let text = format!("{GOOD}\n\n  second/token+here==  \r\n");
        let path = Path::new("tokens");
        let tokens = super::super::tokens::parse(&text, path).unwrap();
        Auth::Tokens(Tokens::of(tokens, path)).admit(&headers, scheme)
    }

    #[test]
    fn every_token_of_the_file_is_admitted() {
        let first = admit(&[&format!("Bearer {GOOD}")], AuthScheme::Bearer).unwrap();
        let second = admit(&["bearer  second/token+here=="], AuthScheme::Bearer).unwrap();
        assert_ne!(first, second);
        assert_eq!(first.unwrap().label().len(), 8);
    }

    #[test]
    fn nothing_else_is() {
        assert_eq!(admit(&[], AuthScheme::Bearer), Err(AuthRefusal::NoToken));
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
            let admitted = admit(&values, AuthScheme::Bearer);
            assert_eq!(admitted, Err(AuthRefusal::WrongToken), "{values:?}");
        }
    }

    #[test]
    fn a_registry_also_takes_a_token_as_any_users_password() {
        let refused = Err(AuthRefusal::WrongToken);
        let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
        for user in ["anyone", ""] {
            let shown = basic(&format!("{user}:{GOOD}"));
            assert!(
                admit(&[&shown], AuthScheme::BearerOrBasic).is_ok(),
                "{user}"
            );
            assert_eq!(admit(&[&shown], AuthScheme::Bearer), refused);
        }
        let bearer = format!("Bearer {GOOD}");
        assert!(admit(&[&bearer], AuthScheme::BearerOrBasic).is_ok());
        let wrong = [
            "x:abcdefghijklmno",
            "abcdefghijklmnop",
            "abcdefghijklmnop:",
            ":",
            "",
        ];
        let wrong = wrong.map(basic).into_iter();
        for shown in wrong.chain(["Basic !".into(), "Basic".into()]) {
            assert_eq!(
                admit(&[&shown], AuthScheme::BearerOrBasic),
                refused,
                "{shown}"
            );
        }
    }
}
