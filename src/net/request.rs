//! Requests and their bodies.

use std::io;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::RequestBuilder;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use url::Url;

use super::clients::Direction;
use super::{Access, Error, RetryMode};
use crate::file::{Links, open_regular};
use crate::secret::Secret;

/// Bytes of a file read at a time.
const CHUNK: usize = 256 * 1024;

/// One request.
pub(crate) struct Request {
    pub method: Method,
    pub url: Url,
    pub accept: Option<&'static str>,
    /// Only ever sent to the origin of `url`.
    pub authorization: Option<HeaderValue>,
    /// Connection settings; used only for the origin of `url`.
    pub access: Access,
    pub retry: RetryMode,
    /// Additional headers, such as conditions and ranges.
    pub headers: HeaderMap,
    /// The body; it is never sent to the target of a redirect.
    pub payload: Option<Payload>,
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Request {
            method,
            url,
            accept: None,
            authorization: None,
            access: Access::default(),
            retry: RetryMode::default(),
            headers: HeaderMap::new(),
            payload: None,
        }
    }
}

impl Request {
    pub(super) fn direction(&self) -> Direction {
        match self.payload {
            Some(Payload::Bytes { .. } | Payload::File { .. }) => Direction::Up,
            Some(Payload::Form(_)) | None => Direction::Down,
        }
    }
}

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Payload {
    Form(Form),
    Bytes {
        bytes: Bytes,
        media_type: HeaderValue,
    },
    /// `length` bytes of a file, streamed.
    File {
        path: PathBuf,
        /// Offset of the first byte.
        from: u64,
        length: u64,
    },
}

/// An `application/x-www-form-urlencoded` body.
#[derive(Clone)]
pub(crate) struct Form {
    pub body: Bytes,
    /// The secret in the body, to be masked in messages.
    pub secret: Secret,
}

impl Payload {
    pub(super) async fn attach(&self, builder: RequestBuilder) -> Result<RequestBuilder, Error> {
        Ok(match self {
            Payload::Form(form) => builder
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.body.clone()),
            Payload::Bytes { bytes, media_type } => builder
                .header(header::CONTENT_TYPE, media_type.clone())
                .body(bytes.clone()),
            Payload::File { path, from, length } => {
                let unreadable = |source| Error::Payload {
                    path: path.clone(),
                    source,
                };
                let opened = path.clone();
                let open = move || open_regular(&opened, Links::Follow);
                let file = tokio::task::spawn_blocking(open).await;
                let file = file.map_err(io::Error::other).and_then(|file| file);
                let mut file = tokio::fs::File::from_std(file.map_err(unreadable)?);
                let at = io::SeekFrom::Start(*from);
                file.seek(at).await.map_err(unreadable)?;
                let stream = ReaderStream::with_capacity(file.take(*length), CHUNK);
                builder
                    .header(header::CONTENT_TYPE, "application/octet-stream")
                    .header(header::CONTENT_LENGTH, *length)
                    .body(reqwest::Body::wrap_stream(stream))
            }
        })
    }

    /// Why a redirect of a request with this body is not followed.
    pub(super) fn why_it_stays(&self) -> &'static str {
        match self {
            Payload::Form(_) => "it would carry secrets along",
            Payload::Bytes { .. } | Payload::File { .. } => "it would carry the upload along",
        }
    }
}

/// The secrets in a request, to be masked because a server may echo them in an
/// error.
pub(super) struct Sent(pub(super) Vec<Secret>);

impl Sent {
    /// Collects the secrets in an authorization header (also decoded from
    /// `Basic`) and in a form.
    pub fn of(authorization: Option<&HeaderValue>, payload: Option<&Payload>) -> Self {
        let mut secrets = Vec::new();
        if let Some(Payload::Form(form)) = payload {
            secrets.push(form.secret.clone());
        }
        let header = authorization.and_then(|value| value.to_str().ok());
        if let Some((_, credentials)) = header.and_then(|text| text.split_once(' ')) {
            secrets.push(credentials.into());
            let pair = BASE64_STANDARD.decode(credentials).ok();
            let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
            let secret = pair.as_deref().and_then(|pair| pair.split_once(':'));
            secrets.extend(secret.map(|(_, secret)| secret.into()));
        }
        Sent(secrets)
    }
}
