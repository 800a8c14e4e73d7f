//! Why a component could not be fetched.

use std::error::Error;
use std::fmt;
use std::io;

use http::StatusCode;

use super::http::HttpError;
use super::oci::{InvalidManifest, LayoutError};
use super::sink::Stopped;
use super::unpack::UnpackError;
use crate::digest::Mismatch;
use crate::error::{Class, Diagnose};
use crate::reference::Reference;

/// A failure, and the reference it concerns.
#[derive(Debug)]
pub struct FetchError {
    reference: Reference,
    failure: Box<Failure>,
}

/// What went wrong with a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The network is needed, and off.
    #[error("the network is off")]
    Offline,
    /// `what` differs from its descriptor.
    #[error("{what} does not match: {mismatch}")]
    Mismatch { what: String, mismatch: Mismatch },
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("the policy layer is not UTF-8 text")]
    PolicyText,
    #[error("the config is not what its media type says")]
    Config(#[source] serde_json::Error),
    /// A module of the core specification, not a component.
    #[error("it is a core module")]
    CoreModule,
    #[error("it starts with \"{start}\"")]
    NotWasm {
        /// The first bytes, escaped.
        start: String,
    },
    #[error("the text does not parse")]
    Text(#[source] wat::Error),
    #[error(transparent)]
    File(io::Error),
    #[error("it is not a regular file")]
    NotAFile,
    /// Writing to the staging directory failed.
    #[error("cannot write to the staging directory")]
    Disk(#[source] io::Error),
}

impl Failure {
    pub(super) fn of(self, reference: &Reference) -> FetchError {
        FetchError {
            reference: reference.clone(),
            failure: Box::new(self),
        }
    }

    pub(super) fn file(error: io::Error) -> Self {
        Failure::File(error)
    }

    pub(super) fn disk(error: io::Error) -> Self {
        Failure::Disk(error)
    }

    pub(super) fn too_large(what: impl Into<String>, limit: u64) -> Self {
        Failure::TooLarge {
            what: what.into(),
            limit,
        }
    }

    pub(super) fn mismatch(what: &str, mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::TooLarge { limit } => Failure::too_large(what, limit),
            mismatch => Failure::Mismatch {
                what: what.to_owned(),
                mismatch,
            },
        }
    }

    pub(super) fn stopped(stopped: Stopped, what: &str) -> Self {
        match stopped {
            Stopped::Mismatch(mismatch) => Failure::mismatch(what, mismatch),
            Stopped::Disk(error) => Failure::disk(error),
            Stopped::Content(failure) => failure,
        }
    }
}

impl FetchError {
    /// What was to be fetched.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// What went wrong with it.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = &self.reference;
        match &*self.failure {
            Failure::Mismatch { what, mismatch } => match mismatch {
                Mismatch::Digest { .. } => write!(f, "Digest mismatch in {what} of `{reference}`"),
                _ => write!(f, "Size mismatch in {what} of `{reference}`"),
            },
            Failure::CoreModule => write!(f, "`{reference}` is a core module, not a component"),
            Failure::NotWasm { .. } => write!(f, "`{reference}` is not WebAssembly"),
            _ => match reference {
                Reference::Oci(_) => write!(f, "Failed to pull `{reference}`"),
                Reference::Https(_) => write!(f, "Failed to download `{reference}`"),
                Reference::File(path) => write!(f, "Failed to read `{}`", path.display()),
                Reference::Layout(_) => write!(f, "Failed to read `{reference}`"),
            },
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.failure {
            // The message, with its facts, says it all.
            Failure::Mismatch { .. } | Failure::CoreModule => None,
            failure => Some(failure),
        }
    }
}

impl Diagnose for FetchError {
    fn code(&self) -> &'static str {
        match &*self.failure {
            Failure::Http(error) => self.http_code(error),
            Failure::Manifest(error) => error.code(),
            Failure::Layout(error) => error.code(),
            Failure::Unpack(error) => error.code(),
            Failure::Offline => "offline",
            Failure::Mismatch { mismatch, .. } => match mismatch {
                Mismatch::Digest { .. } => "digest-mismatch",
                _ => "size-mismatch",
            },
            Failure::TooLarge { .. } => "too-large",
            Failure::PolicyText => "invalid-policy",
            Failure::Config(_) => "invalid-manifest",
            Failure::CoreModule => "core-module",
            Failure::NotWasm { .. } => "not-wasm",
            Failure::Text(_) => "invalid-text",
            Failure::File(error) if error.kind() == io::ErrorKind::NotFound => "not-found",
            Failure::File(_) | Failure::NotAFile => "unreadable-file",
            Failure::Disk(_) => "staging-failed",
        }
    }

    fn class(&self) -> Class {
        match self.code() {
            "not-found" => Class::NotFound,
            "digest-mismatch" | "size-mismatch" => Class::Verification,
            "unreadable-file" | "staging-failed" => Class::Other,
            _ => match &*self.failure {
                Failure::Http(HttpError::Setup(_)) => Class::Other,
                Failure::Http(_) | Failure::Offline => Class::Network,
                _ => Class::InvalidComponent,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &*self.failure {
            Failure::Http(error) => return self.http_hint(error),
            Failure::Manifest(error) => return error.hint(),
            Failure::Layout(error) => return error.hint(),
            Failure::Unpack(error) => return error.hint(),
            Failure::Offline => {
                "leave out `--offline` (or WASSETTE_OFFLINE), or bring the component as a file \
                 or an OCI image layout (`oci-layout:///path:tag`)"
            }
            Failure::Mismatch { .. } => {
                "nothing was installed; the component may have been tampered with"
            }
            Failure::TooLarge { .. } => "nothing was installed; publish a smaller component",
            Failure::PolicyText | Failure::Config(_) => {
                "the artifact is damaged; ask its publisher, or try another version"
            }
            Failure::CoreModule => {
                "make a component of it: `wasm-tools component new module.wasm -o component.wasm` \
                 (with `--adapt` for modules that use WASI), or build for the target `wasm32-wasip2`"
            }
            Failure::NotWasm { .. } => "the address must lead to the `.wasm` file itself",
            Failure::Text(_) => "`.wat` files hold a component in the WebAssembly text format",
            Failure::File(error) if error.kind() == io::ErrorKind::NotFound => {
                "check the path; components from a registry start with `oci://`"
            }
            Failure::File(_) | Failure::NotAFile => {
                "give the path of a `.wasm` or `.wat` file that this user may read"
            }
            Failure::Disk(_) => "check space and permissions of the directory",
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match &*self.failure {
            Failure::Mismatch { mismatch, .. } => match mismatch {
                Mismatch::Digest { expected, computed } => vec![
                    ("expected", expected.to_string()),
                    ("computed", computed.to_string()),
                ],
                Mismatch::Size { expected, computed } => vec![
                    ("expected", format!("{expected} bytes")),
                    ("computed", size(*expected, *computed)),
                ],
                Mismatch::TooLarge { .. } => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

/// A stream is stopped at the first byte too many, so more may have come.
fn size(expected: u64, computed: u64) -> String {
    if computed > expected {
        format!("{computed} bytes or more")
    } else {
        format!("{computed} bytes")
    }
}

impl FetchError {
    fn http_code(&self, error: &HttpError) -> &'static str {
        match error {
            HttpError::Timeout { .. } | HttpError::Stalled { .. } => "network-timeout",
            HttpError::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => "not-found",
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "unauthorized",
                StatusCode::TOO_MANY_REQUESTS => "rate-limited",
                _ => self.failed(),
            },
            HttpError::Challenge { .. } => "unauthorized",
            HttpError::TooLarge { .. } => "too-large",
            HttpError::Offline { .. } => "offline",
            _ => self.failed(),
        }
    }

    fn failed(&self) -> &'static str {
        match self.reference {
            Reference::Oci(_) => "oci-pull-failed",
            Reference::Https(_) => "download-failed",
            Reference::File(_) | Reference::Layout(_) => "unreadable-file",
        }
    }

    fn http_hint(&self, error: &HttpError) -> Option<String> {
        let hint = match error {
            HttpError::Unreachable { host, .. } => {
                format!("check the name `{host}`, the network and the proxy settings")
            }
            HttpError::Timeout { host, .. } | HttpError::Stalled { host } => {
                format!(
                    "try again; if it persists, check that `{host}` is up and reachable from here"
                )
            }
            HttpError::Broken { .. } => "try again; nothing was installed".to_owned(),
            HttpError::Refused { status, host, .. } => match *status {
                StatusCode::NOT_FOUND | StatusCode::GONE => match &self.reference {
                    Reference::Oci(_) => "check repository and tag".to_owned(),
                    _ => "check the address".to_owned(),
                },
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
                    "`{host}` wants credentials for this, or it does not exist: \
                     many registries answer the same to both"
                ),
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
                "only components that can be pulled without a login are supported here".to_owned()
            }
            HttpError::Setup(_) => "check the system's CA certificates".to_owned(),
            HttpError::TooLarge { .. } | HttpError::Offline { .. } => return None,
        };
        Some(hint)
    }
}
