//! Responses of the registry: documents and blobs, streamed from disk.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;
use url::form_urlencoded;

use super::address::TagPage;
use super::content::Item;
use super::fault::Fault;
use super::names::Repository;
use super::range::Part;
use crate::http::InFlight;

/// Bytes read at a time, which a download holds in memory.
const CHUNK: usize = 128 * 1024;
const BLOB: &str = "application/octet-stream";
const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// `/v2/`: confirms that this is a registry.
pub(super) async fn api() -> Response {
    Json(json!({})).into_response()
}

/// A list of tags, with a link to the rest if there are more.
pub(super) fn tags(repository: &Repository, tags: Vec<String>, page: &TagPage) -> Response {
    let after = |tag: &String| page.last.as_ref().is_none_or(|last| tag > last);
    let mut rest: Vec<String> = tags.into_iter().filter(after).collect();
    let shown = page.n.unwrap_or(rest.len()).min(rest.len());
    let is_more = rest.len() > shown;
    rest.truncate(shown);
    let link = rest.last().filter(|_| is_more).map(|last| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("n", &shown.to_string());
        query.append_pair("last", last);
        if let Some(registry) = &repository.registry {
            query.append_pair("ns", registry);
        }
        let (name, query) = (&repository.name, query.finish());
        format!("</v2/{name}/tags/list?{query}>; rel=\"next\"")
    });
    let mut response = Json(json!({ "name": repository.name, "tags": rest })).into_response();
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// A document or blob, or the range of it that the headers request.
pub(super) fn item(item: Item, headers: &HeaderMap, place: InFlight) -> Result<Response, Fault> {
    let digest = item.digest.to_string();
    let tag = format!("\"{digest}\"");
    let size = item.size;
    let part = match item.media_type {
        None => Part::of(headers, size, &tag),
        Some(_) => Part::Whole,
    };
    let (status, from, length) = match part {
        _ if is_held(headers, &tag) => (StatusCode::NOT_MODIFIED, 0, 0),
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Range { from, length } => (StatusCode::PARTIAL_CONTENT, from, length),
        Part::Outside => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let body = body(item.file, (from, length), place).map_err(|error| {
        tracing::warn!("cannot share: {error}");
        Fault::Failed
    })?;
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let mut set = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    set(DIGEST, &digest);
    set(header::ETAG, &tag);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if item.media_type.is_none() {
        set(header::ACCEPT_RANGES, "bytes");
    }
    match status {
        StatusCode::NOT_MODIFIED => return Ok(response),
        StatusCode::PARTIAL_CONTENT => {
            let last = from + length - 1;
            set(
                header::CONTENT_RANGE,
                &format!("bytes {from}-{last}/{size}"),
            );
        }
        StatusCode::RANGE_NOT_SATISFIABLE => set(header::CONTENT_RANGE, &format!("bytes */{size}")),
        _ => {}
    }
    set(
        header::CONTENT_TYPE,
        item.media_type.as_deref().unwrap_or(BLOB),
    );
    set(header::CONTENT_LENGTH, &length.to_string());
    Ok(response)
}

/// Whether the client already has this, according to `If-None-Match`.
fn is_held(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tags.any(|held| matches!(held.trim(), "*") || held.trim().trim_start_matches("W/") == tag)
}

fn body(mut file: File, (from, length): (u64, u64), place: InFlight) -> std::io::Result<Body> {
    if length == 0 {
        return Ok(Body::empty());
    }
    file.seek(SeekFrom::Start(from))?;
    let part = tokio::fs::File::from_std(file).take(length);
    let chunks = ReaderStream::with_capacity(part, CHUNK);
    // The request keeps its place until the last byte is sent.
    Ok(Body::from_stream(chunks.map(move |chunk| {
        let _place = &place;
        chunk
    })))
}
