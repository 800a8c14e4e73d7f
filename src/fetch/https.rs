//! Components from web servers.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::error::Failure;
use super::http::{Http, HttpError, Meter, Request};
use super::outcome::{Identity, Parts};
use super::progress::Progress;
use super::sink::{self, Download};
use crate::digest::Expected;

/// Asks for the headers only.
pub(super) async fn resolve(
    http: &Http,
    url: &Url,
    meter: &Meter,
) -> Result<(Identity, Option<Bytes>), Failure> {
    let response = http
        .send(Request::new(Method::HEAD, url.clone()), meter)
        .await?;
    let identity = match response.status() {
        status if status.is_success() => identity(response.headers()),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            return Err(HttpError::refused(response, "the file").await.into());
        }
        // Some servers, and all presigned addresses, answer only to GET.
        _ => Identity::Https {
            etag: None,
            last_modified: None,
        },
    };
    Ok((identity, None))
}

pub(super) async fn fetch(
    http: &Http,
    url: &Url,
    target: PathBuf,
    limit: u64,
    (meter, progress): (&Meter, &dyn Progress),
) -> Result<Parts, Failure> {
    let response = http
        .send(Request::new(Method::GET, url.clone()), meter)
        .await?;
    if response.status() != StatusCode::OK {
        return Err(HttpError::refused(response, "the file").await.into());
    }
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(Failure::too_large("the file", limit));
    }
    // Of this answer, not of the earlier HEAD: the file may have changed between.
    let identity = identity(response.headers());
    let download = Download {
        what: "the file",
        path: target,
        expected: Expected {
            limit,
            ..Expected::default()
        },
        unpack: None,
        meter,
        progress,
    };
    let component = sink::download(response, download).await?;
    Ok(Parts {
        identity,
        component,
        artifact: None,
        policy: None,
    })
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
