//! Error codes and hints for network errors.

use http::StatusCode;

use super::Error;
use crate::error::Class;

const PROXY_HINT: &str = "the proxy wants a login: put it into the address of the proxy, as \
                          `HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT`";

impl Error {
    /// The code and the class of the error. `failed` is the code of what the
    /// caller tried, for errors that have none of their own.
    pub(crate) fn diagnosis(&self, failed: &'static str) -> (&'static str, Class) {
        match self {
            Error::Timeout { .. } | Error::Stalled { .. } | Error::Slow { .. } => {
                ("network-timeout", Class::Network)
            }
            Error::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => ("not-found", Class::NotFound),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    ("unauthorized", Class::Network)
                }
                StatusCode::TOO_MANY_REQUESTS => ("rate-limited", Class::Network),
                _ => (failed, Class::Network),
            },
            Error::TooLarge { .. } => ("too-large", Class::Network),
            Error::Offline { .. } => ("offline", Class::Network),
            Error::Untrusted { .. } => ("untrusted-certificate", Class::Network),
            Error::Authority { .. } => ("invalid-ca", Class::Other),
            Error::Setup(_) | Error::Certificate { .. } => (failed, Class::Other),
            _ => (failed, Class::Network),
        }
    }

    /// Advice for the user. For refusals, callers that know what was requested give better advice.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::ProxyLogin { .. } => PROXY_HINT.to_owned(),
            Error::Unreachable { host, .. } | Error::UnknownHost { host, .. } => {
                format!("check the name `{host}`, the network and the proxy settings")
            }
            Error::Timeout { host, .. } => format!(
                "check that `{host}` is up, and that no proxy is needed to reach it \
                 (HTTPS_PROXY); then try again"
            ),
            Error::Stalled { host } | Error::Slow { host } | Error::Range { host } => {
                format!(
                    "try again; if it persists, check that `{host}` is up and reachable from here"
                )
            }
            Error::PlainHttp { .. } => "only registries can be spoken to without TLS \
                                        (`plain_http`); serve the file with TLS"
                .to_owned(),
            Error::Encoded { host, encoding } => format!(
                "nothing was installed; turn the encoding `{encoding}` off at `{host}` or at the \
                 proxy before it"
            ),
            Error::Broken { .. } => "try again; nothing was installed".to_owned(),
            Error::Refused { status, host, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => "check the address".to_owned(),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
                    "`{host}` wants credentials for this, or it does not exist: \
                     many servers answer the same to both"
                ),
                StatusCode::PROXY_AUTHENTICATION_REQUIRED => PROXY_HINT.to_owned(),
                StatusCode::TOO_MANY_REQUESTS => {
                    format!("wait; `{host}` limits how often it is asked")
                }
                status if status.is_server_error() => {
                    format!("try again later; the fault is with `{host}`")
                }
                _ => return None,
            },
            Error::Redirect { .. } => "give the address the redirect leads to".to_owned(),
            Error::Untrusted { host, .. } => format!(
                "if you trust `{host}`, give the certificate of its CA: `--ca FILE`, `ca` under \
                 `[network]` in config.toml, or SSL_CERT_FILE"
            ),
            Error::Authority { .. } => "give a PEM file with CA certificates".to_owned(),
            Error::Setup(_) => "check the system's CA certificates".to_owned(),
            Error::Certificate { .. } => {
                "name PEM files that this user may read in `ca` and `client_cert`".to_owned()
            }
            Error::TooLarge { .. } | Error::Offline { .. } | Error::Payload { .. } => return None,
        };
        Some(hint)
    }
}
