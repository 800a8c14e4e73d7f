//! Codes and hints of errors from registries.

use http::StatusCode;

use super::{CredentialSource, Error};
use crate::error::{Class, Diagnose};
use crate::net;

impl Error {
    /// The code and the class of the error. `failed` is the code of what the
    /// caller tried, for errors that have none of their own.
    pub(crate) fn diagnosis(&self, failed: &'static str) -> (&'static str, Class) {
        match self {
            Error::Net(error) | Error::Denied { error, .. } => error.diagnosis(failed),
            Error::Challenge { .. } => ("unauthorized", Class::Network),
            Error::Token { .. }
            | Error::Refusal { .. }
            | Error::Forgotten { .. }
            | Error::Tags { .. } => (failed, Class::Network),
            Error::Manifest(_) => ("invalid-manifest", Class::InvalidComponent),
            Error::Mismatch { mismatch, .. } => mismatch.diagnosis(),
            Error::TooLarge { .. } => ("too-large", Class::InvalidComponent),
            Error::NoHost { .. } | Error::Hosts(_) => ("invalid-config", Class::Usage),
            Error::Package(error) => (error.code(), error.class()),
        }
    }

    /// Advice for the user. `registry` is the one in the reference; a mirror may have answered for
    /// it.
    pub(crate) fn hint(&self, registry: &str) -> Option<String> {
        let hint = match self {
            Error::Net(error) => return net_hint(error, registry, None),
            Error::Denied { error, credentials } => {
                return net_hint(error, registry, Some(credentials));
            }
            Error::Challenge { .. } => "nothing was sent there; ask the operator of the registry",
            Error::Token { host, .. } | Error::Refusal { host, .. } | Error::Tags { host, .. } => {
                return Some(format!(
                    "try again; if it persists, tell the operator of `{host}`"
                ));
            }
            Error::Forgotten { .. } => "try again; nothing was tagged",
            Error::Manifest(_) => {
                "the artifact is damaged; ask its publisher, or try another version"
            }
            Error::Mismatch { mismatch, .. } => mismatch.hint(),
            Error::TooLarge { .. } => "nothing was installed; publish a smaller component",
            Error::NoHost { .. } => {
                "give one of its hosts the capability in `config.toml` or `hosts.toml`"
            }
            Error::Package(error) => return error.hint(),
            Error::Hosts(_) => "the keys of `hosts.toml` are listed in docs/configuration.md",
        };
        Some(hint.to_owned())
    }
}

/// Advice after a failure of a host of `registry` that received credentials from `shown`.
fn net_hint(
    error: &net::Error,
    registry: &str,
    shown: Option<&CredentialSource>,
) -> Option<String> {
    let hint = match error {
        net::Error::PlainHttp { host } => format!(
            "if the network between here and `{host}` is trusted, allow it in config.toml: \
             `plain_http = [\"{host}\"]` under `[registry]` (a mirror has a `plain_http` \
             of its own)"
        ),
        net::Error::Refused { status, .. } => match (*status, shown) {
            (StatusCode::NOT_FOUND | StatusCode::GONE, Some(source)) => format!(
                "check repository and tag; the credentials from {source} were shown, \
                 and may not open it"
            ),
            (StatusCode::NOT_FOUND | StatusCode::GONE, None) => format!(
                "check repository and tag; if it is private, run `wassette login {registry}`"
            ),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(source)) => format!(
                "the credentials from {source} do not open it, or it does not exist; \
                 to use others run `wassette login {registry}`"
            ),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, None) => format!(
                "no credentials found for `{registry}`; run `wassette login {registry}` \
                 (or the name is wrong: many registries answer the same to both)"
            ),
            _ => return error.hint(),
        },
        _ => return error.hint(),
    };
    Some(hint)
}
