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
use url::Url;

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
    /// By the address of the repository, which is the scope of its tokens; what
    /// came over TLS does not go out in the clear.
    sessions: Mutex<HashMap<Url, Arc<Session>>>,
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

/// What there is to say to a challenge.
enum Answer {
    Pass(Pass),
    /// There are credentials from here, of a kind that is no answer.
    Unfit(CredentialSource),
    /// The 401 stands.
    None,
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
        let session = self.session(endpoint.base());
        let known = session.pass();
        let header = |pass: &Pass| Some(pass.token.header.clone());
        let first = http
            .send(request(known.as_ref().and_then(header)), meter)
            .await?;
        // After a redirect, another host has no say in where credentials go.
        if first.status() != StatusCode::UNAUTHORIZED || !endpoint.owns(first.url()) {
            if endpoint.owns(first.url()) {
                session.doubt(first.status());
            }
            return Ok(blamed(exchange, first, known.as_ref()));
        }
        let challenge = first.headers().clone();
        let answer = self.answer(&session, exchange, (&challenge, known.as_ref()));
        let pass = match answer.await? {
            Answer::Pass(pass) => pass,
            Answer::Unfit(source) => return Ok(blaming(first, Some(&source))),
            Answer::None => return Ok(blamed(exchange, first, known.as_ref())),
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
        session.doubt(second.status());
        Ok(blamed(exchange, second, Some(&pass)))
    }

    /// What to send in answer to the challenge of a 401.
    async fn answer(
        &self,
        session: &Session,
        exchange: Exchange<'_>,
        (challenge, sent): (&HeaderMap, Option<&Pass>),
    ) -> Result<Answer, HttpError> {
        let _turn = session.turn.lock().await;
        // Another request may have met the same challenge, and answered it.
        let known = session.pass();
        let token = |pass: &Pass| pass.token.header.clone();
        match known {
            Some(known) if Some(token(&known)) != sent.map(token) => {
                return Ok(Answer::Pass(known));
            }
            _ => session.keep(None),
        }
        let Some(challenge) = challenge::read(challenge) else {
            return Ok(Answer::None);
        };
        let found = self.credentials.find(wanted(exchange.endpoint)).await;
        if let Some(found) = &found {
            tracing::debug!(registry = exchange.endpoint.authority(), source = %found.source, "credentials");
        }
        let answer = match challenge {
            Challenge::Basic => basic(found),
            Challenge::Bearer(bearer) => {
                let wanted = token_request(&bearer, exchange)?;
                Answer::Pass(bearer_pass(exchange, &wanted, found).await?)
            }
        };
        if let Answer::Pass(pass) = &answer {
            session.keep(Some(pass.clone()));
        }
        Ok(answer)
    }

    fn session(&self, repository: &Url) -> Arc<Session> {
        // A map of sessions is sound whoever panicked.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.entry(repository.clone()).or_default().clone()
    }
}

impl Session {
    /// What opened the repository last, unless it has expired.
    fn pass(&self) -> Option<Pass> {
        let pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        pass.clone()
            .filter(|pass| pass.token.good_until > Instant::now())
    }

    /// Forgets what anyone gets, where that does not open the repository: a
    /// login may have come since, and only a challenge makes it looked for.
    fn doubt(&self, status: StatusCode) {
        let by_user = |pass: &Pass| matches!(pass.holder, Holder::User(_));
        if status == StatusCode::FORBIDDEN && !self.pass().as_ref().is_some_and(by_user) {
            self.keep(None);
        }
    }

    fn keep(&self, pass: Option<Pass>) {
        *self.pass.lock().unwrap_or_else(PoisonError::into_inner) = pass;
    }
}

fn basic(found: Option<Found>) -> Answer {
    let Some(Found { credential, source }) = found else {
        return Answer::None;
    };
    let header = match credential {
        Credential::Password { username, secret } => token::basic(&username, &secret),
        // They are for token servers.
        Credential::IdentityToken(_) | Credential::RegistryToken(_) => None,
    };
    match header {
        Some(header) => Answer::Pass(Pass {
            token: Token::lasting(header, PASSWORD_KEPT),
            holder: Holder::User(source),
        }),
        None => Answer::Unfit(source),
    }
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
            host: endpoint.authority().to_owned(),
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
    if let Some(pass) = pass {
        response.extensions_mut().insert(pass.clone());
    }
    blaming(response, pass.and_then(Pass::blame))
}

fn blaming(mut response: Response, source: Option<&CredentialSource>) -> Response {
    if let Some(source) = source {
        response.extensions_mut().insert(source.clone());
    }
    response
}

/// Sends a request as the one was sent that brought `earlier`; its challenge
/// was answered as well as it can be.
pub(super) async fn repeat(
    exchange: Exchange<'_>,
    mut request: Request,
    earlier: &Response,
) -> Result<Response, HttpError> {
    let pass: Option<Pass> = earlier.extensions().get().cloned();
    request.authorization = pass.as_ref().map(|pass| pass.token.header.clone());
    let response = exchange.http.send(request, exchange.meter).await?;
    let source: Option<CredentialSource> = earlier.extensions().get().cloned();
    Ok(blaming(
        blamed(exchange, response, pass.as_ref()),
        source.as_ref(),
    ))
}

fn warn_of_refused(endpoint: &Endpoint, source: &CredentialSource) {
    let registry = endpoint.authority();
    tracing::warn!(
        "`{registry}` refused the credentials from {source}; going on without (to replace them: \
         `wassette login {registry}`)"
    );
}

fn wanted(endpoint: &Endpoint) -> Wanted<'_> {
    Wanted {
        registry: endpoint.authority(),
        repository: endpoint.repository(),
    }
}
