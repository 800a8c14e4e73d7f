//! The answers by which browsers let a page of another origin use the server
//! ([CORS]).
//!
//! Only admitted origins come here, by the [check of hosts](super::guard), so
//! each is answered with itself. A preflight carries no token and needs none:
//! it does nothing. By hand, since `tower_http`'s layer answers every OPTIONS
//! request, also those that are no preflight and lack a token.
//!
//! [CORS]: https://fetch.spec.whatwg.org/#http-cors-protocol

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// What a page may do.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");
/// What it may send: all that MCP clients do.
const SENT: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, \
     mcp-protocol-version, mcp-session-id",
);
/// What it may read, besides what any page may.
const READ: HeaderValue = HeaderValue::from_static("mcp-session-id");
/// Seconds for which a browser need not ask again.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Middleware: answers preflights, and lets pages read the other answers.
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
