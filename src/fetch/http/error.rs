//! What goes wrong between this program and a host.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::StatusCode;
use reqwest::Response;
use serde::Deserialize;
use url::Url;

use super::{Meter, Sent, host, read_bounded};
use crate::fetch::{CredentialSource, FetchOptions};

/// More of an error body is not read.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// More of a server's words is not shown, in characters.
const MAX_DETAIL: usize = 200;

type Cause = Box<dyn Error + Send + Sync>;

/// A request that did not bring what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
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
    #[error("`{host}` stayed silent for too long (connecting: {} s, waiting: {} s)", .connect.as_secs(), .idle.as_secs())]
    Timeout {
        host: String,
        connect: Duration,
        idle: Duration,
    },
    #[error("`{host}` fell silent in the middle of the transfer")]
    Stalled { host: String },
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
        /// The server's words, made safe to print; starts with `: `.
        detail: String,
        /// Whose credentials were sent, where some were.
        credentials: Option<CredentialSource>,
    },
    #[error("a redirect of `{host}` is not followed: {reason}")]
    Redirect { host: String, reason: &'static str },
    #[error("`{host}` wants a login this program does not know: {reason}")]
    Challenge { host: String, reason: &'static str },
    #[error("`{host}` is not asked: the network is off")]
    Offline { host: String },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: &'static str, limit: usize },
}

impl HttpError {
    pub(super) fn setup(source: impl Into<Cause>) -> Self {
        HttpError::Setup(source.into())
    }

    pub(super) fn certificate(path: &Path, source: impl Into<Cause>) -> Self {
        HttpError::Certificate {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    pub(super) fn transport(url: &Url, error: reqwest::Error, options: &FetchOptions) -> Self {
        let host = host(url).to_owned();
        if error.is_timeout() {
            return HttpError::Timeout {
                host,
                connect: options.connect_timeout,
                idle: options.idle_timeout,
            };
        }
        HttpError::Unreachable {
            host,
            source: root(error),
        }
    }

    pub(super) fn body(url: &Url, error: reqwest::Error) -> Self {
        let host = host(url).to_owned();
        if error.is_timeout() {
            return HttpError::Stalled { host };
        }
        HttpError::Broken {
            host,
            source: root(error),
        }
    }

    pub(super) fn redirect(from: &Url, reason: &'static str) -> Self {
        HttpError::Redirect {
            host: host(from).to_owned(),
            reason,
        }
    }

    /// The error for a status that is not a success; reads what the server says.
    pub(crate) async fn refused(response: Response, what: &'static str) -> Self {
        let host = host(response.url()).to_owned();
        let status = response.status();
        let credentials = response.extensions().get().cloned();
        let sent: Option<Sent> = response.extensions().get().cloned();
        let body = read_bounded(response, MAX_ERROR_BODY, "an error", &Meter::default()).await;
        HttpError::Refused {
            host,
            what,
            status,
            detail: body
                .ok()
                .and_then(|body| detail(&body, sent.as_ref()))
                .unwrap_or_default(),
            credentials,
        }
    }

    /// Notes whose credentials were refused.
    pub(crate) fn blaming(mut self, source: &CredentialSource) -> Self {
        if let HttpError::Refused { credentials, .. } = &mut self {
            *credentials = Some(source.clone());
        }
        self
    }
}

/// The innermost cause: the layers above only say that a request failed, with
/// its whole address.
fn root(error: reqwest::Error) -> Cause {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().into()
}

/// The first error of a body in the form of the [distribution specification][spec].
///
/// [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
fn detail(body: &[u8], sent: Option<&Sent>) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        code: Option<String>,
        message: Option<String>,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let first = body.errors.into_iter().next()?;
    let words: Vec<String> = [first.code, first.message].into_iter().flatten().collect();
    // A server's words end up on a terminal, and in logs.
    let mut safe: String = words.join(": ");
    safe.retain(|c| !c.is_control());
    for secret in sent.into_iter().flat_map(|sent| &sent.0) {
        if !secret.is_empty() {
            safe = safe.replace(secret.expose(), "…");
        }
    }
    let safe: String = safe.chars().take(MAX_DETAIL).collect();
    (!safe.is_empty()).then(|| format!(": {safe}"))
}
