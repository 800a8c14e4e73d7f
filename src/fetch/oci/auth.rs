//! Answers to a registry's challenges.
//!
//! A registry is asked without credentials first; only its 401 makes them
//! looked up. What opened a repository is kept for the next request, and made
//! anew once when it has expired, however many requests wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Response;

use super::challenge::{self, Challenge};
use super::endpoint::Endpoint;
use super::realm;
use super::token::{self, Token, TokenRequest};
use crate::fetch::credentials::{
    Credential, CredentialOptions, CredentialSource, Credentials, Found, Wanted,
};
use crate::fetch::http::{Http, HttpError, Meter, Request};

/// How long a password is sent along without looking it up again.
const PASSWORD_KEPT: Duration = Duration::from_secs(300);

/// The credentials and tokens of this process. Tokens are never written to disk.
pub struct Auth {
    credentials: Credentials,
    /// By repository, which is the scope of its tokens.
    sessions: Mutex<HashMap<String, Arc<Session>>>,
}

/// What opens one repository.
#[derive(Default)]
struct Session {
    /// Held while a challenge is answered.
    turn: tokio::sync::Mutex<()>,
    pass: Mutex<Option<Pass>>,
}

/// A header, and whose it is.
#[derive(Clone)]
struct Pass {
    token: Token,
    holder: Holder,
}

#[derive(Clone)]
enum Holder {
    Anyone,
    /// The user, by credentials from here.
    User(CredentialSource),
    /// Anyone, after the credentials from here were refused.
    Refused(CredentialSource),
}

impl Pass {
    /// Whose credentials to blame when the door stays shut.
    fn blame(&self) -> Option<&CredentialSource> {
        match &self.holder {
            Holder::Anyone => None,
            Holder::User(source) | Holder::Refused(source) => Some(source),
        }
    }
}

/// Who speaks to which repository.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub http: &'a Http,
    pub endpoint: &'a Endpoint,
    pub meter: &'a Meter,
}

impl Auth {
    pub fn new(credentials: CredentialOptions) -> Self {
        Auth {
            credentials: Credentials::new(credentials),
            sessions: Mutex::default(),
        }
    }

    /// Sends a request and answers the challenge it may meet. Credentials that
    /// are refused do not close a repository that is open to anyone.
    pub(super) async fn send(
        &self,
        exchange: Exchange<'_>,
        request: impl Fn(Option<HeaderValue>) -> Request + Send,
    ) -> Result<Response, HttpError> {
        let Exchange {
            http,
            endpoint,
            meter,
        } = exchange;
        let session = self.session(endpoint.key());
        let known = session.pass();
        let header = |pass: &Pass| Some(pass.token.header.clone());
        let first = http
            .send(request(known.as_ref().and_then(header)), meter)
            .await?;
        // After a redirect, another host has no say in where credentials go.
        if first.status() != StatusCode::UNAUTHORIZED || !endpoint.owns(first.url()) {
            return Ok(blamed(exchange, first, known.as_ref()));
        }
        let challenge = first.headers().clone();
        let answer = self.answer(&session, exchange, (&challenge, known.as_ref()));
        let Some(pass) = answer.await? else {
            return Ok(blamed(exchange, first, known.as_ref()));
        };
        let second = http.send(request(header(&pass)), meter).await?;
        let refused = matches!(
            second.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        if refused
            && let Holder::User(source) = &pass.holder
            && let Some(open) = anonymous(exchange, &challenge).await
        {
            let third = http.send(request(header(&open)), meter).await?;
            if third.status().is_success() {
                warn_of_refused(endpoint, source);
                let holder = Holder::Refused(source.clone());
                let open = Pass { holder, ..open };
                session.keep(Some(open.clone()));
                return Ok(blamed(exchange, third, Some(&open)));
            }
        }
        Ok(blamed(exchange, second, Some(&pass)))
    }

    /// What to send in answer to the challenge of a 401; none when there is no
    /// answer, so that the 401 stands.
    async fn answer(
        &self,
        session: &Session,
        exchange: Exchange<'_>,
        (challenge, sent): (&HeaderMap, Option<&Pass>),
    ) -> Result<Option<Pass>, HttpError> {
        let _turn = session.turn.lock().await;
        // Another request may have met the same challenge, and answered it.
        let known = session.pass();
        let token = |pass: &Pass| pass.token.header.clone();
        if known.is_some() && known.as_ref().map(token) != sent.map(token) {
            return Ok(known);
        }
        session.keep(None);
        let Some(challenge) = challenge::read(challenge) else {
            return Ok(None);
        };
        let found = self.credentials.find(wanted(exchange.endpoint)).await;
        if let Some(found) = &found {
            tracing::debug!(registry = registry(exchange.endpoint), source = %found.source, "credentials");
        }
        let pass = match challenge {
            Challenge::Basic => basic(found),
            Challenge::Bearer(bearer) => {
                let wanted = token_request(&bearer, exchange)?;
                Some(bearer_pass(exchange, &wanted, found).await?)
            }
        };
        session.keep(pass.clone());
        Ok(pass)
    }

    fn session(&self, key: &str) -> Arc<Session> {
        // A map of sessions is sound whoever panicked.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.entry(key.to_owned()).or_default().clone()
    }
}

impl Session {
    /// What opened the repository last, unless it has expired.
    fn pass(&self) -> Option<Pass> {
        let pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        pass.clone()
            .filter(|pass| pass.token.good_until > Instant::now())
    }

    fn keep(&self, pass: Option<Pass>) {
        *self.pass.lock().unwrap_or_else(PoisonError::into_inner) = pass;
    }
}

fn basic(found: Option<Found>) -> Option<Pass> {
    let Found { credential, source } = found?;
    // The other kinds are for token servers.
    let Credential::Password { username, secret } = credential else {
        return None;
    };
    Some(Pass {
        token: Token::lasting(token::basic(&username, &secret)?, PASSWORD_KEPT),
        holder: Holder::User(source),
    })
}

/// A token for the credential; one for anyone when it is refused, or there is none.
async fn bearer_pass(
    exchange: Exchange<'_>,
    wanted: &TokenRequest,
    found: Option<Found>,
) -> Result<Pass, HttpError> {
    let Exchange { http, meter, .. } = exchange;
    let Some(Found { credential, source }) = found else {
        let token = token::fetch(http, wanted, None, meter).await?;
        return Ok(Pass {
            token,
            holder: Holder::Anyone,
        });
    };
    let refused = match token::fetch(http, wanted, Some(&credential), meter).await {
        Ok(token) => {
            return Ok(Pass {
                token,
                holder: Holder::User(source),
            });
        }
        Err(error) if token::is_refusal(&error) => error.blaming(&source),
        Err(error) => return Err(error),
    };
    let Ok(token) = token::fetch(http, wanted, None, meter).await else {
        return Err(refused);
    };
    warn_of_refused(exchange.endpoint, &source);
    Ok(Pass {
        token,
        holder: Holder::Refused(source),
    })
}

/// What anyone gets; none where nobody gets in without credentials.
async fn anonymous(exchange: Exchange<'_>, challenge: &HeaderMap) -> Option<Pass> {
    let Some(Challenge::Bearer(bearer)) = challenge::read(challenge) else {
        return None;
    };
    let wanted = token_request(&bearer, exchange).ok()?;
    bearer_pass(exchange, &wanted, None).await.ok()
}

fn token_request(
    bearer: &challenge::Bearer,
    exchange: Exchange<'_>,
) -> Result<TokenRequest, HttpError> {
    let endpoint = exchange.endpoint;
    let realm = realm::check(bearer, endpoint.base(), exchange.http);
    Ok(TokenRequest {
        realm: realm.map_err(|reason| HttpError::Challenge {
            host: endpoint.host().to_owned(),
            reason,
        })?,
        service: bearer.service.clone(),
        scope: Some(
            bearer
                .scope
                .clone()
                .unwrap_or_else(|| endpoint.pull_scope()),
        ),
        access: endpoint.access().clone(),
        persistence: endpoint.persistence(),
    })
}

/// Notes on a refusal whose credentials were refused, for the hint; and of
/// what was given whether it took credentials.
fn blamed(exchange: Exchange<'_>, mut response: Response, pass: Option<&Pass>) -> Response {
    let by_user = pass.is_some_and(|pass| matches!(pass.holder, Holder::User(_)));
    let by_certificate = exchange.endpoint.access().client_cert.is_some();
    if response.status().is_success() && (by_user || by_certificate) {
        exchange.meter.note_private();
    }
    if let Some(source) = pass.and_then(Pass::blame).cloned() {
        response.extensions_mut().insert(source);
    }
    response
}

fn warn_of_refused(endpoint: &Endpoint, source: &CredentialSource) {
    let registry = registry(endpoint);
    tracing::warn!(
        "`{registry}` refused the credentials from {source}; going on without (to replace them: \
         `wassette login {registry}`)"
    );
}

fn wanted(endpoint: &Endpoint) -> Wanted<'_> {
    let (registry, repository) = endpoint.key().split_once('/').unwrap_or_default();
    Wanted {
        registry,
        repository,
    }
}

/// The registry, with its port.
fn registry(endpoint: &Endpoint) -> &str {
    wanted(endpoint).registry
}
