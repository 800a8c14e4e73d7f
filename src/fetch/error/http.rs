//! Codes and hints for what goes wrong with a host.

use http::StatusCode;

use super::FetchError;
use crate::fetch::credentials::CredentialSource;
use crate::fetch::http::HttpError;
use crate::reference::Reference;

const PROXY_HINT: &str = "the proxy wants a login: put it into the address of the proxy, as \
                          `HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT`";

impl FetchError {
    pub(super) fn http_code(&self, error: &HttpError) -> &'static str {
        match error {
            HttpError::Timeout { .. } | HttpError::Stalled { .. } | HttpError::Slow { .. } => {
                "network-timeout"
            }
            HttpError::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => "not-found",
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "unauthorized",
                StatusCode::TOO_MANY_REQUESTS => "rate-limited",
                _ => self.failed(),
            },
            HttpError::Challenge { .. } => "unauthorized",
            HttpError::TooLarge { .. } => "too-large",
            HttpError::Offline { .. } => "offline",
            HttpError::Untrusted { .. } => "untrusted-certificate",
            HttpError::Authority { .. } => "invalid-ca",
            _ => self.failed(),
        }
    }

    pub(super) fn failed(&self) -> &'static str {
        match self.reference {
            Reference::Oci(_) => "oci-pull-failed",
            Reference::Https(_) => "download-failed",
            Reference::File(_) | Reference::Layout(_) => "unreadable-file",
        }
    }

    pub(super) fn http_hint(&self, error: &HttpError) -> Option<String> {
        let hint = match error {
            HttpError::ProxyLogin { .. } => PROXY_HINT.to_owned(),
            HttpError::Unreachable { host, .. } => {
                format!("check the name `{host}`, the network and the proxy settings")
            }
            HttpError::Timeout { host, .. } => format!(
                "check that `{host}` is up, and that no proxy is needed to reach it \
                 (HTTPS_PROXY); then try again"
            ),
            HttpError::Stalled { host } | HttpError::Slow { host } | HttpError::Range { host } => {
                format!(
                    "try again; if it persists, check that `{host}` is up and reachable from here"
                )
            }
            HttpError::Broken { .. } => "try again; nothing was installed".to_owned(),
            HttpError::Refused {
                status,
                host,
                credentials,
                ..
            } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => match &self.reference {
                    Reference::Oci(_) => "check repository and tag".to_owned(),
                    _ => "check the address".to_owned(),
                },
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    self.login_hint(host, credentials.as_ref())
                }
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => PROXY_HINT.to_owned(),
                StatusCode::TOO_MANY_REQUESTS => {
                    format!("wait; `{host}` limits how often it is asked")
                }
                status if status.is_server_error() => {
                    format!("try again later; the fault is with `{host}`")
                }
                _ => return None,
            },
            HttpError::Redirect { .. } => "give the address the redirect leads to".to_owned(),
            HttpError::Challenge { .. } => {
                "nothing was sent there; ask whoever runs the registry".to_owned()
            }
            HttpError::Token { host, .. } => {
                format!("try again; if it persists, tell whoever runs `{host}`")
            }
            HttpError::Untrusted { host, .. } => format!(
                "if you trust `{host}`, give the certificate of its CA: `--ca FILE`, `ca` under \
                 `[network]` in config.toml, or SSL_CERT_FILE"
            ),
            HttpError::Authority { .. } => "give a PEM file with CA certificates".to_owned(),
            HttpError::Setup(_) => "check the system's CA certificates".to_owned(),
            HttpError::Certificate { .. } => {
                "name PEM files that this user may read in `ca` and `client_cert`".to_owned()
            }
            HttpError::TooLarge { .. } | HttpError::Offline { .. } => return None,
        };
        Some(hint)
    }

    /// The way out of a 401 or 403.
    fn login_hint(&self, host: &str, credentials: Option<&CredentialSource>) -> String {
        let Reference::Oci(oci) = &self.reference else {
            return format!(
                "`{host}` wants credentials for this, or it does not exist: \
                 many servers answer the same to both"
            );
        };
        let registry = oci.registry();
        match credentials {
            Some(source) => format!(
                "the credentials from {source} do not open it, or it does not exist; \
                 to use others run `wassette login {registry}`"
            ),
            None => format!(
                "no credentials found for `{registry}`; run `wassette login {registry}` \
                 (or the name is wrong: many registries answer the same to both)"
            ),
        }
    }
}
