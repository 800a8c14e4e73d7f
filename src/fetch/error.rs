//! Why a component could not be fetched.

use std::error::Error;
use std::fmt;
use std::io;

use http::StatusCode;

use super::credentials::CredentialSource;
use super::hosts::{Capability, InvalidHosts};
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
    /// Each host asked and why it failed, where there was more than one.
    tried: Vec<String>,
}

/// A host that was asked and failed.
#[derive(Debug)]
pub struct Passed {
    /// `host[:port]`.
    pub host: String,
    pub failure: Failure,
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
    /// Several hosts were asked, and each failed.
    #[error("every host failed; the last: {last}")]
    Hosts {
        earlier: Vec<Passed>,
        last: Box<Passed>,
    },
    #[error("no host may be asked {capability} of `{registry}`")]
    NoHost {
        registry: String,
        capability: Capability,
    },
    #[error(transparent)]
    Mirrors(#[from] InvalidHosts),
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
        let (failure, tried) = match self {
            Failure::Hosts { earlier, last } => {
                let all = earlier.iter().chain([&*last]);
                let tried = all.map(Passed::to_string).collect();
                // The last host is the registry itself, whose word counts.
                (last.failure, tried)
            }
            failure => (failure, Vec::new()),
        };
        FetchError {
            reference: reference.clone(),
            failure: Box::new(failure),
            tried,
        }
    }

    /// What the hosts say together; one host speaks for itself.
    pub(super) fn of_hosts(earlier: Vec<Passed>, last: Passed) -> Self {
        match earlier.is_empty() {
            true => last.failure,
            false => Failure::Hosts {
                earlier,
                last: Box::new(last),
            },
        }
    }

    /// Whether another host may do better: what it sends is the same wherever
    /// its digest is right.
    pub(super) fn is_of_one_host(&self) -> bool {
        match self {
            Failure::Http(HttpError::Offline { .. }) => false,
            Failure::Http(_) | Failure::Mismatch { .. } | Failure::Manifest(_) => true,
            // Met before the digest was known.
            Failure::Unpack(error) => error.is_limit(),
            Failure::TooLarge { .. } => true,
            _ => false,
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

    /// Whether a body began and did not come to its end.
    pub(super) fn is_of_body(&self) -> bool {
        matches!(self, Failure::Http(error) if error.is_of_body())
    }

    pub(super) fn stopped(stopped: Stopped, what: &str) -> Self {
        match stopped {
            Stopped::Mismatch(mismatch) => Failure::mismatch(what, mismatch),
            Stopped::Disk(error) => Failure::disk(error),
            Stopped::Content(failure) => failure,
        }
    }
}

impl fmt::Display for Passed {
    /// The host and the whole reason, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.failure)?;
        let mut source = self.failure.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
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
        let reference = shown(&self.reference);
        match &*self.failure {
            Failure::Mismatch { what, mismatch } => match mismatch {
                Mismatch::Digest { .. } => write!(f, "Digest mismatch in {what} of `{reference}`"),
                _ => write!(f, "Size mismatch in {what} of `{reference}`"),
            },
            Failure::CoreModule => write!(f, "`{reference}` is a core module, not a component"),
            Failure::NotWasm { .. } => write!(f, "`{reference}` is not WebAssembly"),
            _ => match &self.reference {
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
            // Each host has a reason, given with the facts.
            _ if !self.tried.is_empty() => None,
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
            Failure::NoHost { .. } | Failure::Mirrors(_) => "invalid-config",
            Failure::Hosts { .. } => self.failed(),
        }
    }

    fn class(&self) -> Class {
        match self.code() {
            "not-found" => Class::NotFound,
            "digest-mismatch" | "size-mismatch" => Class::Verification,
            "unreadable-file" | "staging-failed" => Class::Other,
            "invalid-config" => Class::Usage,
            _ => match &*self.failure {
                Failure::Http(
                    HttpError::Setup(_)
                    | HttpError::Certificate { .. }
                    | HttpError::Authority { .. },
                ) => Class::Other,
                Failure::Http(_) | Failure::Offline | Failure::Hosts { .. } => Class::Network,
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
            Failure::NoHost { .. } => {
                "give one of its hosts the capability in `config.toml` or `hosts.toml`"
            }
            Failure::Mirrors(_) => "the keys of `hosts.toml` are listed in docs/configuration.md",
            Failure::Hosts { .. } => return None,
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let tried = self.tried.iter().map(|host| ("tried", host.clone()));
        let mut facts = self.difference();
        facts.extend(tried);
        facts
    }
}

impl FetchError {
    /// What was expected and what came.
    fn difference(&self) -> Vec<(&'static str, String)> {
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

/// The reference without the query of a web address, which may be a secret:
/// signed addresses carry their signature there.
fn shown(reference: &Reference) -> String {
    match reference {
        Reference::Https(url) if url.query().is_some() => {
            let mut url = url.clone();
            url.set_query(Some("…"));
            url.to_string().replace("%E2%80%A6", "…")
        }
        reference => reference.to_string(),
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
            HttpError::Timeout { host, .. }
            | HttpError::Stalled { host }
            | HttpError::Slow { host }
            | HttpError::Range { host } => {
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
