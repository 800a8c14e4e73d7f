//! Codes and hints for what goes wrong with a host.

use http::StatusCode;

use super::{FetchError, tags};
use crate::error::Class;
use crate::net::Error;
use crate::reference::Reference;

const PROXY_HINT: &str = "the proxy wants a login: put it into the address of the proxy, as \
                          `HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT`";

impl FetchError {
    pub(super) fn network_diagnosis(&self, error: &Error) -> (&'static str, Class) {
        match error {
            Error::Timeout { .. } | Error::Stalled { .. } | Error::Slow { .. } => {
                ("network-timeout", Class::Network)
            }
            Error::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => ("not-found", Class::NotFound),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    ("unauthorized", Class::Network)
                }
                StatusCode::TOO_MANY_REQUESTS => ("rate-limited", Class::Network),
                _ => (self.failed(), Class::Network),
            },
            Error::TooLarge { .. } => ("too-large", Class::Network),
            Error::Offline { .. } => ("offline", Class::Network),
            Error::Untrusted { .. } => ("untrusted-certificate", Class::Network),
            Error::Authority { .. } => ("invalid-ca", Class::Other),
            Error::Setup(_) | Error::Certificate { .. } => (self.failed(), Class::Other),
            _ => (self.failed(), Class::Network),
        }
    }

    pub(super) fn failed(&self) -> &'static str {
        match self.reference {
            Reference::Oci(_) => "oci-pull-failed",
            Reference::Https(_) => "download-failed",
            Reference::File(_) | Reference::Layout(_) => "unreadable-file",
        }
    }

    pub(super) fn network_hint(&self, error: &Error) -> Option<String> {
        let hint = match error {
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
            Error::PlainHttp { host } => match &self.reference {
                Reference::Oci(_) => format!(
                    "if the network between here and `{host}` is trusted, allow it in config.toml: \
                     `plain_http = [\"{host}\"]` under `[registry]` (a mirror has a `plain_http` \
                     of its own)"
                ),
                _ => "only registries can be spoken to without TLS (`plain_http`); \
                      serve the file with TLS"
                    .to_owned(),
            },
            Error::Encoded { host, encoding } => format!(
                "nothing was installed; turn the encoding `{encoding}` off at `{host}` or at the \
                 proxy before it"
            ),
            Error::Broken { .. } => "try again; nothing was installed".to_owned(),
            Error::Refused { status, host, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => match &self.reference {
                    Reference::Oci(oci) if !self.tags.is_empty() => {
                        tags::hint(oci.tag().unwrap_or_default(), &self.tags)
                    }
                    Reference::Oci(oci) => match self.kind.credentials() {
                        Some(source) => format!(
                            "check repository and tag; the credentials from {source} were shown, \
                             and may not open it"
                        ),
                        None => format!(
                            "check repository and tag; if it is private, run `wassette login {}`",
                            oci.registry()
                        ),
                    },
                    _ => "check the address".to_owned(),
                },
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.login_hint(host),
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

    /// The way out of a 401 or 403.
    fn login_hint(&self, host: &str) -> String {
        let Reference::Oci(oci) = &self.reference else {
            return format!(
                "`{host}` wants credentials for this, or it does not exist: \
                 many servers answer the same to both"
            );
        };
        let registry = oci.registry();
        match self.kind.credentials() {
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
