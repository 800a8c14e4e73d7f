//! Anonymous bearer tokens, which public registries want even for public
//! repositories ([the token protocol][spec]).
//!
//! [spec]: https://distribution.github.io/distribution/spec/auth/token/

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use url::Url;

use super::challenge::{self, Bearer};
use super::endpoint::Endpoint;
use crate::fetch::http::{Http, HttpError, Meter, Request, host, read_bounded};

/// Real tokens have a few KiB.
const MAX_TOKEN_BODY: usize = 256 * 1024;

/// The tokens of this process, by repository. They are never written to disk.
#[derive(Default)]
pub struct Auth {
    tokens: Mutex<HashMap<String, HeaderValue>>,
}

/// A challenge, and who may answer it.
pub(super) struct Exchange<'a> {
    pub http: &'a Http,
    pub endpoint: &'a Endpoint,
    pub meter: &'a Meter,
}

impl Auth {
    /// The header to send to the registry of `endpoint`.
    pub(super) fn header(&self, endpoint: &Endpoint) -> Option<HeaderValue> {
        self.tokens().get(endpoint.key()).cloned()
    }

    /// Answers the challenge of a 401: fetches a token for the repository.
    ///
    /// Nothing of the user's is sent yet; credentials would go into the request
    /// made here, and nowhere else.
    pub(super) async fn answer(
        &self,
        challenged: &HeaderMap,
        exchange: Exchange<'_>,
    ) -> Result<HeaderValue, HttpError> {
        let Exchange {
            http,
            endpoint,
            meter,
        } = exchange;
        self.tokens().remove(endpoint.key());
        let refused = |reason| HttpError::Challenge {
            host: endpoint.host().to_owned(),
            reason,
        };
        let bearer = challenged
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .find_map(challenge::bearer)
            .ok_or_else(|| refused("it asks for no bearer token"))?;
        let url = token_url(bearer, endpoint).ok_or_else(|| refused("its realm is no address"))?;
        // A token fetched in the clear is anyone's; only a registry that is
        // itself spoken to in the clear may ask for that.
        let clear = url.scheme() == "http" && endpoint.is_plain() && http.allows_plain_url(&url);
        if url.scheme() != "https" && !clear {
            return Err(refused("its realm is not `https`"));
        }
        let value = token(http, url, meter).await?;
        self.tokens()
            .insert(endpoint.key().to_owned(), value.clone());
        Ok(value)
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<String, HeaderValue>> {
        // A map of tokens is sound whoever panicked.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn token_url(bearer: Bearer, endpoint: &Endpoint) -> Option<Url> {
    let mut url = Url::parse(&bearer.realm).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.host_str().is_none() {
        return None;
    }
    let scope = bearer.scope.unwrap_or_else(|| endpoint.pull_scope());
    {
        let mut query = url.query_pairs_mut();
        if let Some(service) = &bearer.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &scope);
    }
    Some(url)
}

async fn token(http: &Http, url: Url, meter: &Meter) -> Result<HeaderValue, HttpError> {
    #[derive(Deserialize)]
    struct Body {
        token: Option<String>,
        /// The same under its OAuth 2.0 name.
        access_token: Option<String>,
    }
    let realm = host(&url).to_owned();
    let refused = |reason| HttpError::Challenge {
        host: realm.clone(),
        reason,
    };
    let response = http.send(Request::new(Method::GET, url), meter).await?;
    if !response.status().is_success() {
        return Err(HttpError::refused(response, "a token").await);
    }
    let body = read_bounded(response, MAX_TOKEN_BODY, "the token", meter).await?;
    let body: Body =
        serde_json::from_slice(&body).map_err(|_| refused("its token is not the JSON expected"))?;
    let token = body
        .token
        .or(body.access_token)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| refused("it gave no token"))?;
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| refused("its token fits in no header"))?;
    // Keeps it out of logs.
    value.set_sensitive(true);
    Ok(value)
}
