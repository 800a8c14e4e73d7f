//! Errors of requests to registries.

use super::credentials::CredentialSource;
use super::document::InvalidManifest;
use super::hosts::{Capability, InvalidHosts};
use super::packages::PackageError;
use crate::digest::{Digest, Mismatch};
use crate::net;

/// A failed request to a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Net(#[from] net::Error),
    /// The registry refused the request despite credentials.
    #[error("{error}")]
    Denied {
        error: net::Error,
        credentials: CredentialSource,
    },
    #[error("`{host}` asks for a kind of login that is not supported: {reason}")]
    Challenge { host: String, reason: &'static str },
    /// The response of a token server has no usable token.
    #[error("`{host}` gave no token: {reason}")]
    Token { host: String, reason: &'static str },
    /// The response to an upload is invalid.
    #[error("`{host}` does not take the upload: {reason}")]
    Refusal { host: String, reason: &'static str },
    #[error("`{host}` accepted the blob {digest}, but does not have it")]
    Forgotten { host: String, digest: Digest },
    #[error("`{host}` sent no list of tags where one was asked for")]
    Tags {
        host: String,
        source: serde_json::Error,
    },
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// `what` differs from its descriptor.
    #[error("{what} does not match: {mismatch}")]
    Mismatch { what: String, mismatch: Mismatch },
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("no host of `{registry}` may be asked {capability}")]
    NoHost {
        registry: String,
        capability: Capability,
    },
    #[error(transparent)]
    Hosts(#[from] InvalidHosts),
    #[error(transparent)]
    Package(#[from] PackageError),
}

impl Error {
    pub(crate) fn too_large(what: impl Into<String>, limit: u64) -> Self {
        Error::TooLarge {
            what: what.into(),
            limit,
        }
    }

    pub(crate) fn mismatch(what: &str, mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::TooLarge { limit } => Error::too_large(what, limit),
            mismatch => Error::Mismatch {
                what: what.to_owned(),
                mismatch,
            },
        }
    }

    /// The network error, if the cause is one.
    pub fn net(&self) -> Option<&net::Error> {
        match self {
            Error::Net(error) | Error::Denied { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Whether the body of a response was interrupted.
    pub(super) fn is_of_body(&self) -> bool {
        self.net().is_some_and(net::Error::is_of_body)
    }
}
