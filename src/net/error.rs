//! Errors of HTTP requests.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::resolver::Unresolved;
use super::retry::may_pass;
use super::{Options, host_and_port};

/// The message of `hyper-util` when the proxy answers CONNECT with 407.
const PROXY_LOGIN: &str = "proxy authorization required";

type Cause = Box<dyn StdError + Send + Sync>;

/// A failed HTTP request or transfer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot set up the HTTP client")]
    Setup(#[source] Cause),
    #[error("cannot use the certificate or key `{}`", path.display())]
    Certificate {
        path: PathBuf,
        #[source]
        source: Cause,
    },
    #[error("cannot reach `{host}`")]
    Unreachable {
        host: String,
        #[source]
        source: Cause,
    },
    /// DNS has no address for the host, or for the proxy.
    #[error("cannot reach `{host}`")]
    UnknownHost {
        host: String,
        #[source]
        source: Cause,
    },
    #[error("the proxy on the way to `{host}` wants a login")]
    ProxyLogin { host: String },
    #[error("`{host}` stayed silent for too long (connecting: {} s, waiting: {} s)", .connect.as_secs_f32(), .idle.as_secs_f32())]
    Timeout {
        host: String,
        connect: Duration,
        idle: Duration,
    },
    #[error("`{host}` stopped sending in the middle of the transfer")]
    Stalled { host: String },
    #[error("`{host}` sends too slowly")]
    Slow { host: String },
    #[error("`{host}` does not continue a download that broke off")]
    Range { host: String },
    #[error("the certificate of `{host}` is not trusted: {reason}")]
    Untrusted { host: String, reason: String },
    #[error("the CA file `{}` cannot be used: {reason}", file.display())]
    Authority { file: PathBuf, reason: String },
    /// The server answered a TLS handshake in plain text.
    #[error("`{host}` speaks plain HTTP where TLS was expected")]
    PlainHttp { host: String },
    /// The server compressed the body although `identity` was requested, so the
    /// bytes do not match their digest.
    #[error("`{host}` sent it in the encoding `{encoding}`, which was not asked for")]
    Encoded { host: String, encoding: String },
    #[error("the connection to `{host}` broke")]
    Broken {
        host: String,
        #[source]
        source: Cause,
    },
    #[error("`{host}` refused {what}: {status}{detail}")]
    Refused {
        host: String,
        what: &'static str,
        status: StatusCode,
        /// The server's message, made safe to print; starts with `: `.
        detail: String,
    },
    #[error("a redirect of `{host}` is not followed: {reason}")]
    Redirect { host: String, reason: &'static str },
    #[error("cannot read `{}` to upload it", path.display())]
    Payload { path: PathBuf, source: io::Error },
    #[error("`{host}` is not asked: the network is off")]
    Offline { host: String },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: &'static str, limit: usize },
}

impl Error {
    pub(super) fn setup(source: impl Into<Cause>) -> Self {
        Error::Setup(source.into())
    }

    pub(super) fn certificate(path: &Path, source: impl Into<Cause>) -> Self {
        Error::Certificate {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// Converts a [`Error::Certificate`] of a CA file to [`Error::Authority`].
    pub(super) fn into_authority(self) -> Self {
        match self {
            Error::Certificate { path, source } => Error::Authority {
                file: path,
                reason: source.to_string(),
            },
            other => other,
        }
    }

    pub(super) fn transport(url: &Url, error: reqwest::Error, options: &Options) -> Self {
        let host = host_and_port(url);
        if error.is_timeout() {
            return Error::Timeout {
                host,
                connect: options.connect_timeout,
                idle: options.idle_timeout,
            };
        }
        match find(&error) {
            Some(rustls::Error::InvalidCertificate(reason)) => {
                let reason = reason.to_string();
                return Error::Untrusted { host, reason };
            }
            // The first bytes were not a TLS record.
            Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
                return Error::PlainHttp { host };
            }
            _ => {}
        }
        let unknown = find::<Unresolved>(&error).is_some();
        let source = root(error);
        match source.to_string().ends_with(PROXY_LOGIN) {
            true => Error::ProxyLogin { host },
            false if unknown => Error::UnknownHost { host, source },
            false => Error::Unreachable { host, source },
        }
    }

    /// Whether the connection failed, so that a retry may succeed.
    pub(crate) fn is_of_connection(&self) -> bool {
        // `UnknownHost` is not retried: it is more likely a typo than
        // temporary.
        matches!(self, Error::Unreachable { .. } | Error::Timeout { .. })
    }

    /// Whether the host itself fails, so that other requests to it would fail
    /// too.
    pub(crate) fn is_of_host(&self) -> bool {
        match self {
            Error::Certificate { .. }
            | Error::Unreachable { .. }
            | Error::UnknownHost { .. }
            | Error::ProxyLogin { .. }
            | Error::Timeout { .. }
            | Error::Stalled { .. }
            | Error::Slow { .. }
            | Error::Broken { .. }
            | Error::Untrusted { .. }
            | Error::PlainHttp { .. } => true,
            Error::Refused { status, .. } => status.is_server_error() || may_pass(*status),
            _ => false,
        }
    }

    /// Whether the body was interrupted, so that the download can be resumed.
    pub(crate) fn is_of_body(&self) -> bool {
        matches!(
            self,
            Error::Broken { .. } | Error::Stalled { .. } | Error::Slow { .. }
        )
    }

    pub(crate) fn slow(url: &Url) -> Self {
        Error::Slow {
            host: host_and_port(url),
        }
    }

    pub(crate) fn range(url: &Url) -> Self {
        Error::Range {
            host: host_and_port(url),
        }
    }

    /// A body that is shorter than its announced length.
    pub(crate) fn cut(url: &Url) -> Self {
        Error::Broken {
            host: host_and_port(url),
            source: "it ended too early".into(),
        }
    }

    pub(super) fn body(url: &Url, error: reqwest::Error) -> Self {
        let host = host_and_port(url);
        if error.is_timeout() {
            return Error::Stalled { host };
        }
        Error::Broken {
            host,
            source: root(error),
        }
    }

    pub(super) fn redirect(from: &Url, reason: &'static str) -> Self {
        Error::Redirect {
            host: host_and_port(from),
            reason,
        }
    }

    /// The message with all its causes on one line.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }
}

/// The innermost cause. The outer layers only say that a request to a certain
/// URL failed.
fn root(error: reqwest::Error) -> Cause {
    let error = error.without_url();
    let mut cause: &dyn StdError = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().into()
}

/// The first error of type `E` in the chain of causes.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // `source()` of an `io::Error` skips the error that it wraps.
    let inner = error.downcast_ref().and_then(io::Error::get_ref);
    match inner {
        Some(inner) => find(inner),
        None => find(error.source()?),
    }
}
