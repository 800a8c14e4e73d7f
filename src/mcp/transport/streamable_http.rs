//! Streamable HTTP at `/mcp`: sessions for the protocol revisions that have
//! them, none for 2026-07-28.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any_service};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::super::handler::Server;
use super::MAX_MESSAGE;

/// Long enough for an agent to be left alone overnight: many clients do not
/// begin a new session when theirs is gone.
const IDLE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an answered request's messages are kept for a client that lost
/// its connection. Short, since `rmcp` looks at all of them at every message.
const REPLAY: Duration = Duration::from_secs(2);

const SESSION_ID: &str = "mcp-session-id";
const PROTOCOL_VERSION: &str = "mcp-protocol-version";
const SESSIONLESS: &str = "2026-07-28";

struct Sessions {
    manager: Arc<LocalSessionManager>,
    limit: usize,
}

/// The endpoint. When `end` is cancelled, all its streams and sessions end.
pub(super) fn endpoint(server: Arc<Server>, limit: usize, end: CancellationToken) -> MethodRouter {
    let mut manager = LocalSessionManager::default();
    manager.session_config.keep_alive = Some(IDLE_LIMIT);
    manager.session_config.completed_cache_ttl = REPLAY;
    // Clients of 2025-06-18 and before stumble over events without data.
    manager.session_config.sse_retry = None;
    let manager = Arc::new(manager);
    let config = StreamableHttpServerConfig::default()
        // Our guard has checked both headers, for all endpoints alike.
        .disable_allowed_hosts()
        .with_sse_retry(None)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_MESSAGE)
        .with_cancellation_token(end);
    let service =
        StreamableHttpService::new(move || Ok(server.connection()), manager.clone(), config);
    let sessions = Arc::new(Sessions { manager, limit });
    any_service(service).layer(from_fn_with_state(sessions, bound))
}

/// Middleware: 503 for requests that would open a session too many.
async fn bound(State(sessions): State<Arc<Sessions>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let sessionless = headers
        .get(PROTOCOL_VERSION)
        .is_some_and(|version| version.as_bytes() >= SESSIONLESS.as_bytes());
    let opens_session =
        request.method() == Method::POST && !sessionless && !headers.contains_key(SESSION_ID);
    if opens_session && sessions.manager.sessions.read().await.len() >= sessions.limit {
        return too_many_sessions();
    }
    next.run(request).await
}

pub(super) fn too_many_sessions() -> Response {
    let retry = [(header::RETRY_AFTER, "60")];
    let text = "Service Unavailable: too many sessions\n";
    (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response()
}
