//! An HTTP server whose answers the test defines; it records the requests.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Router, http};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, StatusCode};
use tokio::task::JoinHandle;
use wassette::digest::Digest;

use super::artifact::Artifact;

/// A received request.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub if_none_match: Option<String>,
}

/// A server on a free loopback port; ends when dropped.
pub struct Faults {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Faults {
    /// Answers every request with what `answer` returns.
    pub async fn start<A>(answer: A) -> Self
    where
        A: Fn(&Seen) -> Response + Clone + Send + Sync + 'static,
    {
        Faults::start_async(move |seen| std::future::ready(answer(&seen))).await
    }

    /// Like [`Faults::start`], with an answer that may wait.
    pub async fn start_async<A, F>(answer: A) -> Self
    where
        A: Fn(Seen) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        Faults::serve(move |seen, _| answer(seen)).await
    }

    /// Like [`Faults::start`], with an answer that depends on the request's body.
    pub async fn start_reading<A>(answer: A) -> Self
    where
        A: Fn(&Seen, Bytes) -> Response + Clone + Send + Sync + 'static,
    {
        Faults::serve(move |seen, body| {
            let answer = answer.clone();
            async move {
                let body = axum::body::to_bytes(body, usize::MAX).await;
                answer(&seen, body.unwrap_or_default())
            }
        })
        .await
    }

    async fn serve<A, F>(answer: A) -> Self
    where
        A: Fn(Seen, Body) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = seen.clone();
        let service = move |request: Request| {
            let one = note(&request);
            notes.lock().expect("no panic").push(one.clone());
            answer(one, request.into_body())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(service);
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Faults {
            address,
            seen,
            task,
        }
    }

    /// `oci://…/` and the name.
    pub fn reference(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// `http://…` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns all requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(request: &Request) -> Seen {
    let header = |name| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    Seen {
        method: request.method().clone(),
        target: request.uri().to_string(),
        authorization: header(http::header::AUTHORIZATION),
        range: header(http::header::RANGE),
        if_range: header(http::header::IF_RANGE),
        if_none_match: header(http::header::IF_NONE_MATCH),
    }
}

/// The correct answers of a registry that has one artifact under any tag.
#[derive(Clone)]
pub struct Honest {
    manifest: Vec<u8>,
    blobs: Arc<HashMap<String, Vec<u8>>>,
}

impl Honest {
    pub fn new(artifact: &Artifact) -> Self {
        let blobs = artifact.blobs.iter();
        let blobs = blobs.map(|blob| (Digest::of(blob).to_string(), blob.clone()));
        Honest {
            manifest: artifact.bytes(),
            blobs: Arc::new(blobs.collect()),
        }
    }

    pub fn answer(&self, seen: &Seen) -> Response {
        let name = seen.target.rsplit('/').next().unwrap_or_default();
        if seen.target.contains("/manifests/") {
            let digest = Digest::of(&self.manifest).to_string();
            // It has no referrers and no signature.
            let known = !name.starts_with("sha256") || name == digest;
            let headers = [("docker-content-digest", digest)];
            return match known {
                true => (headers, self.manifest.clone()).into_response(),
                false => StatusCode::NOT_FOUND.into_response(),
            };
        }
        match self.blobs.get(name) {
            Some(blob) => blob.clone().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// Returns a body that never ends.
pub fn endless(chunk: &'static [u8]) -> Response {
    let chunk = Bytes::from_static(chunk);
    let chunks = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(chunks).into_response()
}

/// Returns a body with this content length that breaks off after `start`.
pub fn cut(start: &[u8], length: usize) -> Response {
    let pieces = [
        Ok(Bytes::copy_from_slice(start)),
        Err(std::io::Error::other("cut")),
    ];
    // Sends the start before the connection is dropped.
    let pieces = futures_util::StreamExt::then(stream::iter(pieces), async |piece| {
        tokio::task::yield_now().await;
        piece
    });
    let headers = [("content-length", length.to_string())];
    (headers, Body::from_stream(pieces)).into_response()
}

/// Returns the bytes of `whole` from `from` on as a 206, cut off at `end`.
pub fn rest(whole: &[u8], from: usize, end: usize) -> Response {
    let mut response = cut(&whole[from..end], whole.len() - from);
    if end == whole.len() {
        response = whole[from..].to_vec().into_response();
    }
    let range = format!("bytes {from}-{}/{}", whole.len() - 1, whole.len());
    let range = range.parse().expect("a value");
    response.headers_mut().insert("content-range", range);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response
}

impl Seen {
    /// Returns the start of the requested range.
    pub fn from(&self) -> usize {
        let range = self.range.as_deref().unwrap_or("bytes=0-");
        let from = range
            .strip_prefix("bytes=")
            .and_then(|r| r.strip_suffix('-'));
        from.and_then(|from| from.parse().ok())
            .expect("an open range")
    }
}

/// Returns a body that is sent one byte at a time.
pub fn dripping(pause: std::time::Duration) -> Response {
    let drops = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"\0")));
    let drops = futures_util::StreamExt::then(drops, move |drop| async move {
        tokio::time::sleep(pause).await;
        drop
    });
    Body::from_stream(drops).into_response()
}

/// Returns a body that stalls for ever after its start.
pub fn stalled(start: &'static [u8]) -> Response {
    let start = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(start))]);
    let chunks = futures_util::StreamExt::chain(start, stream::pending());
    Body::from_stream(chunks).into_response()
}

pub fn redirect(to: &str) -> Response {
    (
        StatusCode::TEMPORARY_REDIRECT,
        [("location", to.to_owned())],
    )
        .into_response()
}
