//! Whether a registry accepts a user's credentials.

use http::{HeaderValue, Method, StatusCode};
use url::Url;

use super::challenge::{self, Challenge};
use super::realm;
use super::token::{self, TokenRequest};
use crate::error::{Class, Diagnose};
use crate::fetch::credentials::Secret;
use crate::fetch::hosts::{self, Access, Host, InvalidHosts, Mirrors};
use crate::fetch::http::{Http, HttpError, Meter, Persistence, Request, host_and_port};
use crate::fetch::{Credential, LoginFileError};

/// What a registry says of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Accepted,
    /// It lets everyone in, and so tells nothing of the credentials.
    NotAsked,
}

/// Why a login failed; nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("`{}` is not the name of a registry", .text.escape_debug())]
    Registry { text: String },
    #[error("`{registry}` refused the credentials")]
    Refused {
        registry: String,
        #[source]
        source: HttpError,
    },
    #[error("Failed to log in to `{registry}`")]
    Failed {
        registry: String,
        #[source]
        source: HttpError,
    },
    #[error("Failed to reach `{registry}`")]
    Unreachable {
        registry: String,
        #[source]
        source: HttpError,
    },
    #[error(transparent)]
    Hosts(#[from] InvalidHosts),
    #[error(transparent)]
    Store(#[from] LoginFileError),
}

impl Diagnose for LoginError {
    fn code(&self) -> &'static str {
        match self {
            LoginError::Registry { .. } => "invalid-registry",
            LoginError::Refused { .. } => "unauthorized",
            LoginError::Failed { source, .. } => match source {
                HttpError::Timeout { .. } | HttpError::Stalled { .. } => "network-timeout",
                HttpError::Untrusted { .. } => "untrusted-certificate",
                HttpError::Offline { .. } => "offline",
                _ => "login-failed",
            },
            LoginError::Unreachable {
                source: HttpError::Offline { .. },
                ..
            } => "offline",
            LoginError::Unreachable { .. } => "registry-unreachable",
            LoginError::Hosts(_) => "invalid-config",
            LoginError::Store(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            LoginError::Registry { .. } | LoginError::Hosts(_) => Class::Usage,
            LoginError::Refused { .. }
            | LoginError::Failed { .. }
            | LoginError::Unreachable { .. } => Class::Network,
            LoginError::Store(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            LoginError::Registry { .. } => {
                "give `host` or `host:port`, as in `wassette login ghcr.io`".into()
            }
            LoginError::Refused { .. } => {
                "nothing was stored; check user name and password (many registries want an \
                 access token in place of the password)"
                    .into()
            }
            LoginError::Failed {
                source: HttpError::Offline { .. },
                ..
            }
            | LoginError::Unreachable {
                source: HttpError::Offline { .. },
                ..
            } => "leave out `--offline` (or WASSETTE_OFFLINE)".into(),
            LoginError::Failed {
                source: HttpError::Untrusted { host, .. },
                ..
            } => format!(
                "nothing was stored; if you trust `{host}`, give the certificate of its CA: `--ca FILE`, `ca` \
                 under `[network]` or of its entry in `config.toml`, or SSL_CERT_FILE"
            ),
            LoginError::Failed { registry, .. } => format!(
                "nothing was stored; check the name `{registry}`, the network and the proxy settings"
            ),
            LoginError::Unreachable { registry, .. } => {
                format!("check the name `{registry}`, the network and the proxy settings")
            }
            LoginError::Hosts(_) => {
                "the keys of `hosts.toml` are listed in docs/configuration.md".into()
            }
            LoginError::Store(error) => return error.hint(),
        })
    }
}

/// Asks the registry's `/v2/` with the credentials.
pub(in crate::fetch) async fn check_login(
    (http, mirrors): (&Http, &Mirrors),
    registry: &str,
    (username, secret): (&str, &Secret),
) -> Result<Checked, LoginError> {
    let host = mirrors.named(registry)?;
    let failed = |source| LoginError::Failed {
        registry: registry.to_owned(),
        source,
    };
    let refused = |source| LoginError::Refused {
        registry: registry.to_owned(),
        source,
    };
    let url = base(http, &host, registry).ok_or_else(|| LoginError::Registry {
        text: registry.to_owned(),
    })?;
    let meter = Meter::default();
    let ask = |authorization| Request {
        authorization,
        access: host.access.clone(),
        ..Request::new(Method::GET, url.clone())
    };
    let first = http.send(ask(None), &meter).await.map_err(failed)?;
    if first.status().is_success() {
        return Ok(Checked::NotAsked);
    }
    if first.status() != StatusCode::UNAUTHORIZED || first.url().origin() != url.origin() {
        let error = HttpError::refused(first, "to be asked").await;
        return Err(failed(error));
    }
    let header = match challenge::read(first.headers()) {
        Some(challenge) => {
            let registry = (&url, &host.access);
            answer(http, registry, challenge, (username, secret)).await
        }
        None => Err(unanswerable(&url, "it asks for neither password nor token")),
    };
    let header = header.map_err(|error| match token::is_refusal(&error) {
        true => refused(error),
        false => failed(error),
    })?;
    let second = http.send(ask(Some(header)), &meter).await.map_err(failed)?;
    match second.status() {
        status if status.is_success() => Ok(Checked::Accepted),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(refused(HttpError::refused(second, "the login").await))
        }
        _ => Err(failed(HttpError::refused(second, "the login").await)),
    }
}

async fn answer(
    http: &Http,
    (registry, access): (&Url, &Access),
    challenge: Challenge,
    (username, secret): (&str, &Secret),
) -> Result<HeaderValue, HttpError> {
    let bearer = match challenge {
        Challenge::Basic => {
            return token::basic(username, secret)
                .ok_or_else(|| unanswerable(registry, "no header takes this user name"));
        }
        Challenge::Bearer(bearer) => bearer,
    };
    let realm = realm::check(&bearer, registry, http);
    let wanted = TokenRequest {
        realm: realm.map_err(|reason| unanswerable(registry, reason))?,
        service: bearer.service,
        scope: bearer.scope,
        access: access.clone(),
        persistence: Persistence::Patient,
    };
    let credential = Credential::Password {
        username: username.to_owned(),
        secret: secret.clone(),
    };
    let token = token::fetch(http, &wanted, Some(&credential), &Meter::default()).await?;
    Ok(token.header)
}

fn unanswerable(registry: &Url, reason: &'static str) -> HttpError {
    HttpError::Challenge {
        host: host_and_port(registry),
        reason,
    }
}

/// `…/v2/`, where a registry says whether it wants a login.
pub(super) fn base(http: &Http, known: &Host, registry: &str) -> Option<Url> {
    let registry = match registry {
        hosts::DOCKER => hosts::DOCKER_HOST,
        registry => registry,
    };
    let secure = Url::parse(&format!("https://{registry}/v2/")).ok()?;
    match known.is_plain(|| http.allows_plain(registry)) {
        true => Url::parse(&format!("http://{registry}/v2/")).ok(),
        false => Some(secure),
    }
}
