//! Authentication with registries.
//!
//! The first request has no credentials; they are looked up when the registry
//! answers 401. Some registries answer 404 or 403 to hide what needs a login;
//! if there are credentials for such a host, its `/v2/` is asked for the
//! challenge. A working authorization is cached for later requests, and renewed
//! once when it expires, even if several requests wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use url::Url;

use super::challenge::{self, AuthScheme, Bearer};
use super::credentials::{
    Credential, CredentialOptions, CredentialSource, Credentials, Found, Wanted,
};
use super::endpoint::Endpoint;
use super::scope::{Actions, Scope};
use super::session::{Authorization, Holder, Session};
use super::token::{self, Token, TokenRequest};
use super::{Error, Remote, realm};
use crate::net::{Request, Response, RetryMode};

/// How long a password is reused before it is looked up again.
const PASSWORD_KEPT: Duration = Duration::from_secs(300);

/// The credentials and tokens of the process. Tokens are never written to disk.
pub(super) struct Auth {
    credentials: Credentials,
    /// Keyed by the repository's URL and the scope. The scope keeps tokens for
    /// uploads out of downloads; the URL includes the scheme, so that a token
    /// received over TLS is not sent over plain HTTP.
    sessions: Mutex<HashMap<(Url, Scope), Arc<Session>>>,
}

/// A registry's response, and the credentials with which it was requested.
pub(super) struct Answer {
    pub response: Response,
    authorization: Option<Authorization>,
    /// Source of the credentials, for the 401 message.
    credentials: Option<CredentialSource>,
}

impl Answer {
    /// A response of a host that received no credentials.
    pub fn of_stranger(response: Response) -> Self {
        Answer {
            response,
            authorization: None,
            credentials: None,
        }
    }

    /// The error for a status that is not a success. `what` names the refused
    /// request.
    pub async fn refused(self, what: &'static str) -> Error {
        let error = self.response.refused(what).await;
        match self.credentials {
            Some(credentials) => Error::Denied { error, credentials },
            None => Error::Net(error),
        }
    }
}

/// The reply to a challenge.
enum Reply {
    Authorization(Authorization),
    /// The credentials from this source cannot be used for this scheme.
    Unfit(CredentialSource),
    /// There are no credentials, so the 401 is final.
    None,
}

impl Auth {
    pub fn new(credentials: CredentialOptions) -> Self {
        Auth {
            credentials: Credentials::new(credentials),
            sessions: Mutex::default(),
        }
    }

    /// Sends a request and answers a challenge. If the credentials are refused,
    /// it tries anonymous access, so that wrong credentials do not prevent
    /// pulls of public components.
    pub async fn send(
        &self,
        remote: Remote<'_>,
        actions: Actions,
        request: impl Fn(Option<HeaderValue>) -> Request + Send,
    ) -> Result<Answer, Error> {
        let endpoint = remote.endpoint;
        let scope = endpoint.scope(actions);
        let session = self.session(endpoint.base(), &scope);
        let known = session.authorization();
        let first = request(known.as_ref().map(Authorization::header));
        let first = remote.send(first).await?;
        // Do not answer a challenge of another host after a redirect.
        if !endpoint.owns(first.url()) {
            return Ok(remote.answer(first, known));
        }
        let Some(scheme) = self.challenge(remote, &first, known.as_ref()).await else {
            session.revalidate(first.status());
            return Ok(remote.answer(first, known));
        };
        let challenge = Challenged { scheme, scope };
        let sent = known.as_ref();
        let authorization = match self.reply(&session, remote, &challenge, sent).await? {
            Reply::Authorization(authorization) => authorization,
            Reply::Unfit(source) => {
                return Ok(Answer {
                    credentials: Some(source),
                    ..remote.answer(first, None)
                });
            }
            Reply::None => return Ok(remote.answer(first, known)),
        };
        let second = remote.send(request(Some(authorization.header()))).await?;
        let refused = matches!(
            second.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        if refused
            && let Holder::User(source) = &authorization.holder
            && let Some(open) = anonymous(remote, &challenge).await
        {
            let third = remote.send(request(Some(open.header()))).await?;
            if third.status().is_success() {
                warn_of_refused(endpoint, source);
                let holder = Holder::Refused(source.clone());
                let open = Authorization { holder, ..open };
                session.keep(Some(open.clone()));
                return Ok(remote.answer(third, Some(open)));
            }
        }
        session.revalidate(second.status());
        Ok(remote.answer(second, Some(authorization)))
    }

    /// Sends a request with the same authorization as the request of `earlier`.
    pub async fn repeat(
        &self,
        remote: Remote<'_>,
        request: impl Fn(Option<HeaderValue>) -> Request,
        earlier: &Answer,
    ) -> Result<Answer, Error> {
        let authorization = earlier.authorization.clone();
        let header = authorization.as_ref().map(Authorization::header);
        let response = remote.send(request(header)).await?;
        let answer = remote.answer(response, authorization);
        Ok(Answer {
            credentials: answer.credentials.or_else(|| earlier.credentials.clone()),
            ..answer
        })
    }

    /// The scheme that the registry requests, if any: from its 401, or from its
    /// `/v2/` if the response has no challenge and there are credentials.
    async fn challenge(
        &self,
        remote: Remote<'_>,
        response: &Response,
        known: Option<&Authorization>,
    ) -> Option<AuthScheme> {
        let status = response.status();
        let hidden = match status {
            StatusCode::UNAUTHORIZED => match challenge::read(response.headers()) {
                Some(scheme) => return Some(scheme),
                None => true,
            },
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => known.is_none(),
            _ => false,
        };
        if !hidden {
            return None;
        }
        let found = self.credentials.find(wanted(remote.endpoint)).await?;
        let scheme = match remote.challenge_of_root().await {
            Some(scheme) => scheme,
            // A 401 without a challenge: assume the usual scheme for passwords.
            None if status == StatusCode::UNAUTHORIZED => AuthScheme::Basic,
            None => return None,
        };
        tracing::info!(
            "`{}` answered {status} to a request without credentials; asking again with those \
             from {}",
            remote.endpoint.authority(),
            found.source
        );
        Some(scheme)
    }

    /// The reply to a challenge. `sent` is the authorization of the request
    /// that was challenged.
    async fn reply(
        &self,
        session: &Session,
        remote: Remote<'_>,
        challenge: &Challenged,
        sent: Option<&Authorization>,
    ) -> Result<Reply, Error> {
        let _turn = session.turn.lock().await;
        // Another request may have answered the same challenge in the meantime.
        match session.authorization() {
            Some(known) if Some(known.header()) != sent.map(Authorization::header) => {
                return Ok(Reply::Authorization(known));
            }
            _ => session.keep(None),
        }
        let found = self.credentials.find(wanted(remote.endpoint)).await;
        if let Some(found) = &found {
            let registry = remote.endpoint.authority();
            tracing::debug!(registry, source = %found.source, "credentials");
        }
        let reply = match &challenge.scheme {
            AuthScheme::Basic => basic(found),
            AuthScheme::Bearer(bearer) => {
                let wanted = token_request(remote, bearer, &challenge.scope)?;
                Reply::Authorization(authorize(remote, &wanted, found).await?)
            }
        };
        if let Reply::Authorization(authorization) = &reply {
            session.keep(Some(authorization.clone()));
        }
        Ok(reply)
    }

    fn session(&self, repository: &Url, scope: &Scope) -> Arc<Session> {
        // A panic leaves the map consistent, so ignore poisoning.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (repository.clone(), scope.clone());
        sessions.entry(key).or_default().clone()
    }
}

/// A challenge and the scope of the request.
struct Challenged {
    scheme: AuthScheme,
    scope: Scope,
}

impl Remote<'_> {
    pub(super) async fn send(&self, request: Request) -> Result<Response, Error> {
        let sent = self.client.http.send(request, &self.transfer.meter).await;
        Ok(sent?)
    }

    /// The challenge of `/v2/`, without its scope, which is not that of a
    /// repository.
    async fn challenge_of_root(&self) -> Option<AuthScheme> {
        let request = Request {
            access: self.endpoint.access().clone(),
            retry: RetryMode::Once,
            ..Request::new(Method::GET, self.endpoint.root())
        };
        let response = self.send(request).await.ok()?;
        let asks = response.status() == StatusCode::UNAUTHORIZED;
        if !asks || !self.endpoint.owns(response.url()) {
            return None;
        }
        Some(match challenge::read(response.headers())? {
            AuthScheme::Basic => AuthScheme::Basic,
            AuthScheme::Bearer(bearer) => AuthScheme::Bearer(Bearer {
                scope: None,
                ..bearer
            }),
        })
    }

    /// Combines a response with its authorization, for the hint of a 401, and
    /// marks the transfer as private if the user was authenticated.
    fn answer(&self, response: Response, authorization: Option<Authorization>) -> Answer {
        let by_user = authorization
            .as_ref()
            .is_some_and(|sent| matches!(sent.holder, Holder::User(_)));
        let by_certificate = self.endpoint.access().client_cert.is_some();
        if response.status().is_success() && (by_user || by_certificate) {
            self.transfer.note_private();
        }
        Answer {
            response,
            credentials: authorization
                .as_ref()
                .and_then(Authorization::source)
                .cloned(),
            authorization,
        }
    }
}

fn basic(found: Option<Found>) -> Reply {
    let Some(Found { credential, source }) = found else {
        return Reply::None;
    };
    let header = match credential {
        Credential::Password { username, secret } => token::basic(&username, &secret),
        // These are only for token servers.
        Credential::IdentityToken(_) | Credential::RegistryToken(_) => None,
    };
    match header {
        Some(header) => Reply::Authorization(Authorization {
            token: Token::lasting(header, PASSWORD_KEPT),
            holder: Holder::User(source),
        }),
        None => Reply::Unfit(source),
    }
}

/// Fetches a token for the credential, or an anonymous one if it is refused or
/// there is none.
async fn authorize(
    remote: Remote<'_>,
    wanted: &TokenRequest,
    found: Option<Found>,
) -> Result<Authorization, Error> {
    let (http, meter) = (&remote.client.http, &remote.transfer.meter);
    let Some(Found { credential, source }) = found else {
        let token = token::fetch(http, wanted, None, meter).await?;
        return Ok(Authorization {
            token,
            holder: Holder::Anyone,
        });
    };
    let refused = match token::fetch(http, wanted, Some(&credential), meter).await {
        Ok(token) => {
            return Ok(Authorization {
                token,
                holder: Holder::User(source),
            });
        }
        Err(Error::Net(error)) if token::is_refusal(&error) => error,
        Err(error) => return Err(error),
    };
    let Ok(token) = token::fetch(http, wanted, None, meter).await else {
        return Err(Error::Denied {
            error: refused,
            credentials: source,
        });
    };
    warn_of_refused(remote.endpoint, &source);
    Ok(Authorization {
        token,
        holder: Holder::Refused(source),
    })
}

/// An anonymous token; `None` if the registry gives none.
async fn anonymous(remote: Remote<'_>, challenge: &Challenged) -> Option<Authorization> {
    let AuthScheme::Bearer(bearer) = &challenge.scheme else {
        return None;
    };
    let wanted = token_request(remote, bearer, &challenge.scope).ok()?;
    authorize(remote, &wanted, None).await.ok()
}

fn token_request(
    remote: Remote<'_>,
    bearer: &Bearer,
    scope: &Scope,
) -> Result<TokenRequest, Error> {
    let endpoint = remote.endpoint;
    let realm = realm::check(bearer, endpoint.base(), &remote.client.http);
    let own_scope = || scope.to_string();
    Ok(TokenRequest {
        realm: realm.map_err(|reason| Error::Challenge {
            host: endpoint.authority().to_owned(),
            reason,
        })?,
        service: bearer.service.clone(),
        scope: Some(bearer.scope.clone().unwrap_or_else(own_scope)),
        access: endpoint.access().clone(),
        retry: endpoint.retry(),
    })
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
