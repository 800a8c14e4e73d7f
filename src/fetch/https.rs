//! Components from web servers.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::Response;
use url::Url;

use super::download::{self, Download, Source};
use super::error::Failure;
use super::http::{Http, HttpError, Meter, Persistence, Request, Resume};
use super::outcome::{Identity, Parts};
use super::progress::Progress;
use crate::digest::Expected;

/// Asks for the headers only; what is `known` need not be told again.
pub(super) async fn resolve(
    http: &Http,
    url: &Url,
    (known, meter): (Option<&Identity>, &Meter),
) -> Result<(Identity, Option<Bytes>), Failure> {
    let condition = known.and_then(condition);
    let ask = async |method| {
        let mut request = Request::new(method, url.clone());
        if let Some(tag) = &condition {
            request.headers.insert(header::IF_NONE_MATCH, tag.clone());
        }
        http.send(request, meter).await
    };
    let mut response = ask(Method::HEAD).await?;
    // Some servers, and all presigned addresses, answer only to GET. The body
    // is not read: only the news that there is none is of use here.
    let refused = response.status().is_client_error() && !is_missing(&response);
    if refused && condition.is_some() {
        response = ask(Method::GET).await?;
    }
    let identity = match (response.status(), known) {
        (StatusCode::NOT_MODIFIED, Some(known)) => known.clone(),
        (status, _) if status.is_success() => identity(response.headers()),
        _ if is_missing(&response) => {
            return Err(HttpError::refused(response, "the file").await.into());
        }
        _ => Identity::Https {
            etag: None,
            last_modified: None,
        },
    };
    Ok((identity, None))
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

pub(super) async fn fetch(
    http: &Http,
    url: &Url,
    (target, expected, parts): (PathBuf, Expected, Option<&Path>),
    (meter, progress): (&Meter, &dyn Progress),
) -> Result<Parts, Failure> {
    let source = WebFile { http, url, meter };
    let first = Download {
        what: "the file",
        path: target,
        expected,
        unpack: None,
        parts,
        persistence: Persistence::Patient,
        http,
        meter,
        progress,
    };
    let (component, headers) = download::download(&source, first).await?;
    Ok(Parts {
        // Of this answer, not of the earlier HEAD: the file may have changed between.
        identity: identity(&headers),
        component,
        artifact: None,
        policy: None,
    })
}

struct WebFile<'a> {
    http: &'a Http,
    url: &'a Url,
    meter: &'a Meter,
}

impl Source for WebFile<'_> {
    async fn open(&self, resume: Option<&Resume>) -> Result<Response, HttpError> {
        let mut request = Request::new(Method::GET, self.url.clone());
        request.headers = resume.map(Resume::headers).unwrap_or_default();
        let response = self.http.send(request, self.meter).await?;
        if download::is_answer(&response, resume) {
            Ok(response)
        } else {
            Err(HttpError::refused(response, "the file").await)
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
        // A weak tag allows for bytes that differ.
        etag: text(header::ETAG).filter(|etag| !etag.starts_with("W/")),
        last_modified: text(header::LAST_MODIFIED),
    }
}
