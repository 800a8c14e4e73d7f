//! Checks credentials with a registry, for `wassette login`.

use http::{HeaderValue, Method, StatusCode};
use url::Url;

use super::challenge::{self, AuthScheme};
use super::hosts::{self, Host, InvalidHosts};
use super::token::{self, TokenRequest};
use super::{Client, Credential, Error, LoginFileError, realm};
use crate::error::{Class, Diagnose};
use crate::net::{self, Access, Meter, Request, RetryMode, host_and_port};
use crate::secret::Secret;

/// The result of checking a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Accepted,
    /// The registry allows anonymous access, so the credentials were not
    /// checked.
    NotAsked,
}

/// A failed login. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("`{}` is not the name of a registry", .text.escape_debug())]
    Registry { text: String },
    #[error("`{registry}` refused the credentials")]
    Refused {
        registry: String,
        #[source]
        source: Error,
    },
    #[error("Failed to log in to `{registry}`")]
    Failed {
        registry: String,
        #[source]
        source: Error,
    },
    #[error("Failed to reach `{registry}`")]
    Unreachable {
        registry: String,
        #[source]
        source: Error,
    },
    #[error(transparent)]
    Hosts(#[from] InvalidHosts),
    #[error(transparent)]
    Store(#[from] LoginFileError),
}

impl LoginError {
    /// The network error, if the cause is one.
    fn net(&self) -> Option<&net::Error> {
        match self {
            LoginError::Failed { source, .. } | LoginError::Unreachable { source, .. } => {
                source.net()
            }
            _ => None,
        }
    }

    fn diagnosis(&self) -> (&'static str, Class) {
        match self {
            LoginError::Registry { .. } => ("invalid-registry", Class::Usage),
            LoginError::Hosts(_) => ("invalid-config", Class::Usage),
            LoginError::Refused { .. } => ("unauthorized", Class::Network),
            LoginError::Store(error) => (error.code(), error.class()),
            LoginError::Failed { .. } | LoginError::Unreachable { .. } => {
                let code = match (self.net(), self) {
                    (Some(net::Error::Offline { .. }), _) => "offline",
                    (_, LoginError::Unreachable { .. }) => "registry-unreachable",
                    (Some(net::Error::Timeout { .. } | net::Error::Stalled { .. }), _) => {
                        "network-timeout"
                    }
                    (Some(net::Error::Untrusted { .. }), _) => "untrusted-certificate",
                    _ => "login-failed",
                };
                (code, Class::Network)
            }
        }
    }
}

impl Diagnose for LoginError {
    fn code(&self) -> &'static str {
        self.diagnosis().0
    }

    fn class(&self) -> Class {
        self.diagnosis().1
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
            LoginError::Failed { .. } | LoginError::Unreachable { .. }
                if matches!(self.net(), Some(net::Error::Offline { .. })) =>
            {
                "leave out `--offline` (or WASSETTE_OFFLINE)".into()
            }
            LoginError::Failed {
                source: Error::Net(net::Error::Untrusted { host, .. }),
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

/// A user name and a password or token.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub username: &'a str,
    pub secret: &'a Secret,
}

impl Client {
    /// Checks whether a registry (`host[:port]`) accepts the credentials.
    ///
    /// # Errors
    ///
    /// If the registry refuses them or cannot be reached.
    pub async fn check_login(
        &self,
        registry: &str,
        login: Login<'_>,
    ) -> Result<Checked, LoginError> {
        let host = self.options.mirrors.named(registry)?;
        let failed = |source: Error| LoginError::Failed {
            registry: registry.to_owned(),
            source,
        };
        let refused = |source: Error| LoginError::Refused {
            registry: registry.to_owned(),
            source,
        };
        let url = self.root_of(&host, registry)?;
        let meter = Meter::default();
        let ask = async |authorization| {
            let request = Request {
                authorization,
                access: host.access.clone(),
                ..Request::new(Method::GET, url.clone())
            };
            let sent = self.http.send(request, &meter).await;
            sent.map_err(|error| failed(error.into()))
        };
        let first = ask(None).await?;
        if first.status().is_success() {
            return Ok(Checked::NotAsked);
        }
        if first.status() != StatusCode::UNAUTHORIZED || first.url().origin() != url.origin() {
            return Err(failed(first.refused("to be asked").await.into()));
        }
        let root = Root {
            url: &url,
            access: &host.access,
        };
        let header = match challenge::read(first.headers()) {
            Some(scheme) => self.answer(root, scheme, login).await,
            None => Err(root.unanswerable("it asks for neither password nor token")),
        };
        let header = header.map_err(|error| match &error {
            Error::Net(net) if token::is_refusal(net) => refused(error),
            _ => failed(error),
        })?;
        let second = ask(Some(header)).await?;
        match second.status() {
            status if status.is_success() => Ok(Checked::Accepted),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(refused(second.refused("the login").await.into()))
            }
            _ => Err(failed(second.refused("the login").await.into())),
        }
    }

    async fn answer(
        &self,
        root: Root<'_>,
        scheme: AuthScheme,
        login: Login<'_>,
    ) -> Result<HeaderValue, Error> {
        let bearer = match scheme {
            AuthScheme::Basic => {
                return token::basic(login.username, login.secret)
                    .ok_or_else(|| root.unanswerable("no header takes this user name"));
            }
            AuthScheme::Bearer(bearer) => bearer,
        };
        let realm = realm::check(&bearer, root.url, &self.http);
        let wanted = TokenRequest {
            realm: realm.map_err(|reason| root.unanswerable(reason))?,
            service: bearer.service,
            scope: bearer.scope,
            access: root.access.clone(),
            retry: RetryMode::Repeat,
        };
        let credential = Credential::Password {
            username: login.username.to_owned(),
            secret: login.secret.clone(),
        };
        let meter = Meter::default();
        let token = token::fetch(&self.http, &wanted, Some(&credential), &meter).await?;
        Ok(token.header)
    }

    /// The URL of `/v2/`, where a registry says whether it requires
    /// authentication.
    pub(super) fn root_of(&self, known: &Host, registry: &str) -> Result<Url, LoginError> {
        let host = match registry {
            hosts::DOCKER => hosts::DOCKER_HOST,
            registry => registry,
        };
        let scheme = match known.is_plain(|| self.http.allows_plain(host)) {
            true => "http",
            false => "https",
        };
        Url::parse(&format!("{scheme}://{host}/v2/")).map_err(|_| LoginError::Registry {
            text: registry.to_owned(),
        })
    }
}

/// The URL and connection settings for checking a login.
#[derive(Clone, Copy)]
struct Root<'a> {
    url: &'a Url,
    access: &'a Access,
}

impl Root<'_> {
    fn unanswerable(&self, reason: &'static str) -> Error {
        Error::Challenge {
            host: host_and_port(self.url),
            reason,
        }
    }
}
