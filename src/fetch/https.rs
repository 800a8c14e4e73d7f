//! Downloads of components from web servers.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::destination::Destination;
use super::download::{self, Download, Source};
use super::error::ErrorKind;
use super::outcome::{Identity, Parts};
use super::progress::Progress;
use crate::digest::Expected;
use crate::net::{Client, Meter, Request, Response, Resume, RetryMode};

/// A file on a web server.
pub(super) struct WebFile<'a> {
    pub http: &'a Client,
    pub url: &'a Url,
    pub meter: &'a Meter,
}

/// Where to download to, and what is expected.
pub(super) struct Target<'a> {
    pub destination: Destination,
    pub expected: Expected,
    /// The directory for partial downloads.
    pub parts: Option<&'a Path>,
    pub progress: &'a dyn Progress,
}

impl WebFile<'_> {
    /// Requests the headers only, conditionally if an identity is `known`.
    pub async fn resolve(
        &self,
        known: Option<&Identity>,
    ) -> Result<(Identity, Option<Bytes>), ErrorKind> {
        let condition = known.and_then(condition);
        let ask = async |method| {
            let mut request = Request::new(method, self.url.clone());
            if let Some(tag) = &condition {
                request.headers.insert(header::IF_NONE_MATCH, tag.clone());
            }
            self.http.send(request, self.meter).await
        };
        let mut response = ask(Method::HEAD).await?;
        // Some servers, and all presigned URLs, accept only GET. The body is
        // not read: the status tells whether the file has changed.
        let refused = response.status().is_client_error() && !is_missing(&response);
        if refused && condition.is_some() {
            response = ask(Method::GET).await?;
        }
        let identity = match (response.status(), known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => known.clone(),
            (status, _) if status.is_success() => identity(response.headers()),
            _ if is_missing(&response) => return Err(response.refused("the file").await.into()),
            _ => Identity::Https {
                etag: None,
                last_modified: None,
            },
        };
        Ok((identity, None))
    }

    /// Downloads the file.
    pub async fn fetch(&self, target: Target<'_>) -> Result<Parts, ErrorKind> {
        let download = Download {
            what: "the file",
            destination: target.destination,
            expected: target.expected,
            unpack: None,
            parts: target.parts,
            retry: RetryMode::Repeat,
            http: self.http,
            meter: self.meter,
            progress: target.progress,
        };
        let (component, headers) = download::download(self, download).await?;
        Ok(Parts {
            // From this response rather than the earlier HEAD: the file may
            // have changed in between.
            identity: identity(&headers),
            component,
            artifact: None,
            policy: None,
        })
    }
}

fn is_missing(response: &Response) -> bool {
    matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE)
}

fn condition(known: &Identity) -> Option<HeaderValue> {
    match known {
        Identity::Https { etag, .. } => etag.as_deref()?.parse().ok(),
        _ => None,
    }
}

impl Source for WebFile<'_> {
    async fn open(&self, resume: Option<&Resume>) -> Result<Response, ErrorKind> {
        let mut request = Request::new(Method::GET, self.url.clone());
        request.headers = resume.map(Resume::headers).unwrap_or_default();
        let response = self.http.send(request, self.meter).await?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if resume.is_some() => {
                Ok(response)
            }
            _ => Err(response.refused("the file").await.into()),
        }
    }
}

fn identity(headers: &HeaderMap) -> Identity {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    Identity::Https {
        // A weak tag may stay the same for different bytes.
        etag: text(header::ETAG).filter(|etag| !etag.starts_with("W/")),
        last_modified: text(header::LAST_MODIFIED),
    }
}
