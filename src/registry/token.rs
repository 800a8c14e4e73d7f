//! Fetches tokens from token servers: by the [token protocol][get] for
//! passwords and anonymous access, and by the [OAuth 2.0 protocol][post] for
//! identity tokens.
//!
//! [get]: https://distribution.github.io/distribution/spec/auth/token/
//! [post]: https://distribution.github.io/distribution/spec/auth/oauth/

use std::time::{Duration, Instant};

use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{Credential, Error};
use crate::net::{self, Access, Client, Form, Meter, Payload, Request, RetryMode, host_and_port};
use crate::secret::Secret;

/// Largest response of a token server, in bytes. Real tokens have a few KiB.
const MAX_TOKEN_BODY: usize = 256 * 1024;
/// The lifetime that the protocol defines for tokens without `expires_in`.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// A token is not used in the last tenth of its life, at most this long, so
/// that it is still valid when it reaches the registry.
const MAX_MARGIN: Duration = Duration::from_secs(10);
const CLIENT: &str = "wassette";

/// A token request, from the parameters of the challenge.
#[derive(Debug, Clone)]
pub(super) struct TokenRequest {
    /// The URL of the token server, checked by `realm`.
    pub realm: Url,
    pub service: Option<String>,
    pub scope: Option<String>,
    /// Connection settings of the registry, used for its token server too.
    pub access: Access,
    pub retry: RetryMode,
}

/// An authorization header with its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub header: HeaderValue,
    pub good_until: Instant,
}

impl Token {
    /// A header without an expiry of its own, to be used for `life`.
    pub fn lasting(header: HeaderValue, life: Duration) -> Self {
        Token {
            header,
            good_until: Instant::now() + life,
        }
    }
}

/// Fetches a token for a credential, or an anonymous one.
pub(super) async fn fetch(
    http: &Client,
    wanted: &TokenRequest,
    credential: Option<&Credential>,
    meter: &Meter,
) -> Result<Token, Error> {
    let host = host_and_port(&wanted.realm);
    let unusable = || Error::Challenge {
        host: host.clone(),
        reason: "the credentials fit in no header",
    };
    let request = match credential {
        None => wanted.get(None),
        Some(Credential::Password { username, secret }) => {
            wanted.get(Some(basic(username, secret).ok_or_else(unusable)?))
        }
        Some(Credential::IdentityToken(token)) => wanted.post(token),
        Some(Credential::RegistryToken(token)) => {
            let header = bearer(token.expose()).ok_or_else(unusable)?;
            return Ok(Token::lasting(header, DEFAULT_LIFE));
        }
    };
    let asked = Instant::now();
    let response = http.send(request, meter).await?;
    if !response.status().is_success() {
        return Err(response.refused("a token").await.into());
    }
    let body = response.bytes(MAX_TOKEN_BODY, "the token", meter).await?;
    let nonsense = |reason| Error::Token {
        host: host.clone(),
        reason,
    };
    let body: Body = serde_json::from_slice(&body)
        .map_err(|_| nonsense("its answer is not the JSON expected"))?;
    let life = body.life(Timestamp::now());
    let token = [body.token, body.access_token]
        .into_iter()
        .flatten()
        .find(|token| !token.is_empty())
        .ok_or_else(|| nonsense("its answer has none"))?;
    let header = bearer(&token).ok_or_else(|| nonsense("it fits in no header"))?;
    Ok(Token {
        header,
        good_until: asked + life,
    })
}

/// Whether the token server refused the credential.
pub(super) fn is_refusal(error: &net::Error) -> bool {
    matches!(
        error,
        net::Error::Refused { status, .. } if matches!(
            *status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        )
    )
}

/// The `Basic` header; `None` if the user name cannot be encoded in it.
pub(super) fn basic(username: &str, secret: &Secret) -> Option<HeaderValue> {
    use base64::Engine;
    if username.contains(':') {
        return None;
    }
    let pair = format!("{username}:{}", secret.expose());
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    sensitive(format!("Basic {pair}"))
}

fn bearer(token: &str) -> Option<HeaderValue> {
    sensitive(format!("Bearer {token}"))
}

fn sensitive(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    // Keeps the value out of logs.
    value.set_sensitive(true);
    Some(value)
}

impl TokenRequest {
    fn get(&self, authorization: Option<HeaderValue>) -> Request {
        let mut url = self.realm.clone();
        {
            let mut query = url.query_pairs_mut();
            for (name, value) in self.fields() {
                query.append_pair(name, value);
            }
        }
        // Drop an empty query.
        if url.query() == Some("") {
            url.set_query(None);
        }
        let mut request = self.to(Method::GET, url);
        request.authorization = authorization;
        request
    }

    fn post(&self, refresh_token: &Secret) -> Request {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token")
            .append_pair("client_id", CLIENT)
            .append_pair("refresh_token", refresh_token.expose())
            .extend_pairs(self.fields());
        let mut request = self.to(Method::POST, self.realm.clone());
        request.payload = Some(Payload::Form(Form {
            body: form.finish().into(),
            secret: refresh_token.clone(),
        }));
        request
    }

    fn to(&self, method: Method, url: Url) -> Request {
        Request {
            access: self.access.clone(),
            retry: self.retry,
            ..Request::new(method, url)
        }
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("service", &self.service), ("scope", &self.scope)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

#[derive(Deserialize)]
struct Body {
    token: Option<String>,
    /// The token under its OAuth 2.0 name.
    access_token: Option<String>,
    /// Lifetime in seconds.
    expires_in: Option<f64>,
    issued_at: Option<String>,
}

impl Body {
    /// The time from now during which the token is used.
    fn life(&self, now: Timestamp) -> Duration {
        let said = self.expires_in.filter(|seconds| *seconds > 0.0);
        let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds.min(1e6)).ok());
        let whole = said.unwrap_or(DEFAULT_LIFE);
        let issued: Option<Timestamp> = self.issued_at.as_ref().and_then(|at| at.parse().ok());
        // The server's clock may differ, so ignore an impossible age.
        let age = issued
            .and_then(|issued| Duration::try_from(now.duration_since(issued)).ok())
            .filter(|age| *age < whole)
            .unwrap_or_default();
        let left = whole - age;
        left - (left / 10).min(MAX_MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_token_is_good() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().expect("a time");
        for (body, seconds) in [
            ("{}", 54),
            (r#"{"expires_in": 300}"#, 290),
            (r#"{"expires_in": 0}"#, 54),
            (r#"{"expires_in": -5}"#, 54),
            (r#"{"expires_in": 1e300}"#, 999_990),
            (
                r#"{"expires_in": 300, "issued_at": "2026-01-01T11:59:00Z"}"#,
                230,
            ),
            // The server's clock is behind, ahead, or invalid.
            (
                r#"{"expires_in": 300, "issued_at": "2026-01-01T10:00:00Z"}"#,
                290,
            ),
            (
                r#"{"expires_in": 300, "issued_at": "2026-01-01T13:00:00Z"}"#,
                290,
            ),
            (r#"{"expires_in": 300, "issued_at": "yesterday"}"#, 290),
        ] {
            let parsed: Body = serde_json::from_str(body).expect("JSON");
            assert_eq!(parsed.life(now).as_secs(), seconds, "{body}");
        }
    }

    #[test]
    fn headers_do_not_show_what_is_in_them() {
        let header = basic("alice", &"s3cret".into()).expect("a header");
        assert_eq!(header, "Basic YWxpY2U6czNjcmV0");
        assert_eq!(format!("{header:?}"), "Sensitive");
        assert!(basic("a:b", &"c".into()).is_none());
    }
}
