//! Responses, and reading of their bodies with limits on size, time and speed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::request::Sent;
use super::{Error, Meter, Options, error_body, host_and_port};

/// Most bytes of an error body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;
/// Time limit for reading an error body.
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

/// A response whose headers were received and whose body is still unread.
pub(crate) struct Response {
    pub(super) inner: reqwest::Response,
    pub(super) sent: Sent,
    pub(super) pace: Pace,
}

/// Limits on the speed and duration of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Minimum average speed in bytes per second, checked after `grace`.
    min_speed: u64,
    grace: Duration,
    /// Time limit for the whole body.
    limit: Duration,
}

impl Pace {
    pub fn of(options: &Options) -> Self {
        Pace {
            min_speed: options.min_speed,
            grace: options.idle_timeout,
            limit: options.transfer_timeout,
        }
    }
}

impl Response {
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The text of a header; `None` if it is missing or not text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// The URL of the response, after all redirects.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// The error to report for a digest mismatch if the server compressed the
    /// body although `identity` was requested; else `None`.
    pub fn encoded(&self) -> Option<Error> {
        let encoding = self.header(header::CONTENT_ENCODING)?;
        let encoding = encoding.trim();
        (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")).then(|| {
            Error::Encoded {
                host: self.host(),
                encoding: encoding.escape_debug().to_string(),
            }
        })
    }

    /// The host (`host[:port]`) that sent the response.
    pub fn host(&self) -> String {
        host_and_port(self.url())
    }

    /// Length of the body in bytes, if announced.
    pub fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// Whether a truncated body is recognized: the protocol marks its end, so
    /// that it is not taken from the end of the connection.
    pub fn is_framed(&self) -> bool {
        self.inner.version() >= http::Version::HTTP_2
            || self.headers().contains_key(header::CONTENT_LENGTH)
            || self.headers().contains_key(header::TRANSFER_ENCODING)
    }

    /// The body, in chunks.
    pub fn body(self, meter: &Meter) -> Body<'_> {
        Body {
            response: self.inner,
            meter,
            pace: self.pace,
            started: Instant::now(),
            bytes: 0,
        }
    }

    /// The whole body, of at most `limit` bytes. `what` names it in errors.
    pub async fn bytes(
        self,
        limit: usize,
        what: &'static str,
        meter: &Meter,
    ) -> Result<Bytes, Error> {
        let mut body = self.body(meter);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.next().await? {
            if bytes.len() + chunk.len() > limit {
                return Err(Error::TooLarge { what, limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// The error for a status that is not a success, with the message from the
    /// body. `what` names the refused request.
    pub async fn refused(self, what: &'static str) -> Error {
        let (host, status) = (self.host(), self.status());
        let media_type = self.headers().get(header::CONTENT_TYPE).cloned();
        let Response { inner, sent, pace } = self;
        let unsaid = Response {
            inner,
            sent: Sent(Vec::new()),
            pace,
        };
        let meter = Meter::default();
        let body = unsaid.bytes(MAX_ERROR_BODY, "an error", &meter);
        let body = tokio::time::timeout(ERROR_BODY_TIME, body).await;
        let body = body.ok().and_then(Result::ok);
        let detail = body.and_then(|body| error_body::detail(&body, media_type.as_ref(), &sent));
        Error::Refused {
            host,
            what,
            status,
            detail: detail.unwrap_or_default(),
        }
    }
}

/// The body of a response, read in chunks. Reading fails if it is too slow.
pub(crate) struct Body<'a> {
    response: reqwest::Response,
    meter: &'a Meter,
    pace: Pace,
    started: Instant,
    bytes: u64,
}

impl Body<'_> {
    /// # Errors
    ///
    /// If the connection breaks, is idle for too long, or is too slow.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let deadline = self.started + self.pace.limit;
        let chunk = match timeout_at(deadline, self.response.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return Err(Error::body(self.response.url(), error)),
            Err(_) => return Err(Error::slow(self.response.url())),
        };
        if let Some(chunk) = &chunk {
            let length = chunk.len() as u64;
            self.meter.count_bytes(length);
            self.bytes += length;
            self.check_pace()?;
        }
        Ok(chunk)
    }

    fn check_pace(&self) -> Result<(), Error> {
        let elapsed = self.started.elapsed();
        let due = u128::from(self.pace.min_speed) * elapsed.as_millis() / 1000;
        if elapsed > self.pace.grace && u128::from(self.bytes) < due {
            return Err(Error::slow(self.response.url()));
        }
        Ok(())
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        tracing::debug!(
            host = %host_and_port(self.response.url()),
            bytes = self.bytes,
            ms = self.started.elapsed().as_millis(),
            "body"
        );
    }
}
