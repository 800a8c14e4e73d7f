//! CORS: the headers with which browsers let a page of another origin use the server
//! ([CORS]).
//!
//! The [check of hosts](super::guard) runs before this and admits only allowed
//! origins, so each answer allows the origin of its request. A preflight needs no
//! token, since it does nothing. `tower_http`'s layer cannot be used: it answers
//! every OPTIONS request without a token, even those that are no preflights.
//!
//! [CORS]: https://fetch.spec.whatwg.org/#http-cors-protocol

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Methods that a page may use.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");
/// Headers that a page may send: those of MCP clients.
const SENT: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, \
     mcp-protocol-version, mcp-session-id",
);
/// Headers that a page may read, in addition to the safelisted ones.
const READ: HeaderValue = HeaderValue::from_static("mcp-session-id");
/// Seconds for which a browser may cache the preflight.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Middleware: answers preflights, and adds the headers to other answers.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match is_preflight(&request) {
        true => preflight(),
        false => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READ);
    }
    response
}

fn is_preflight(request: &Request) -> bool {
    let has = |name| request.headers().contains_key(name);
    request.method() == Method::OPTIONS
        && has(header::ORIGIN)
        && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, SENT);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    (StatusCode::NO_CONTENT, headers).into_response()
}
