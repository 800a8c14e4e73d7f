//! Streamable HTTP at `/mcp`: sessions for the protocol revisions that have
//! them, none for 2026-07-28.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any_service};
use futures_util::stream::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::ServerSseMessage;
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError, SessionError,
};
use rmcp::transport::streamable_http_server::{RestoreOutcome, SessionId, SessionManager};
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::http::{Credential, HttpLimits, unavailable};

use super::super::handler::Server;
use super::caller::Caller;
use super::session_id;

/// How long an answered request's messages are kept for a client that lost
/// its connection. Short, since `rmcp` looks at all of them at every message.
const REPLAY: Duration = Duration::from_secs(2);

const SESSION_ID: &str = "mcp-session-id";

tokio::task_local! {
    /// The request that the present task works on: `rmcp` does not tell who
    /// opens a session, nor why it could not be opened.
    static OPENING: Opening;
}

struct Opening {
    credential: Option<Credential>,
    /// Whether it would have opened a session too many.
    refused: Cell<bool>,
}

/// `rmcp`'s sessions, under names that cannot be guessed, each open to none
/// but the token that opened it.
struct Sessions {
    inner: LocalSessionManager,
    limit: usize,
    owners: Mutex<HashMap<SessionId, Option<Credential>>>,
}

impl Sessions {
    fn owners(&self) -> MutexGuard<'_, HashMap<SessionId, Option<Credential>>> {
        // The map is whole between any two statements.
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a new session to who opens it, if there may be one more.
    fn reserve(&self, id: &SessionId) -> Result<Reserved<'_>, SessionError> {
        let owner = OPENING.try_with(|opening| opening.credential);
        let mut owners = self.owners();
        if owners.len() >= self.limit {
            let _ = OPENING.try_with(|opening| opening.refused.set(true));
            return Err(SessionError::Io(io::Error::other("too many sessions")));
        }
        owners.insert(id.clone(), owner.unwrap_or_default());
        Ok(Reserved {
            sessions: self,
            id: Some(id.clone()),
        })
    }
}

/// A session that does not exist yet; its place is free again unless it is
/// [kept](Reserved::keep).
struct Reserved<'a> {
    sessions: &'a Sessions,
    id: Option<SessionId>,
}

impl Reserved<'_> {
    fn keep(mut self) {
        self.id = None;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.sessions.owners().remove(id);
        }
    }
}

/// The endpoint. When `end` is cancelled, all its streams and sessions end.
pub(super) fn endpoint(
    server: Arc<Server>,
    limits: &HttpLimits,
    end: CancellationToken,
) -> MethodRouter {
    let mut inner = LocalSessionManager::default();
    inner.session_config.keep_alive = Some(limits.session_idle);
    inner.session_config.completed_cache_ttl = REPLAY;
    // Clients of 2025-06-18 and before stumble over events without data.
    inner.session_config.sse_retry = None;
    let sessions = Arc::new(Sessions {
        inner,
        limit: limits.sessions,
        owners: Mutex::default(),
    });
    let config = StreamableHttpServerConfig::default()
        // Our guard has checked both headers, for all endpoints alike.
        .disable_allowed_hosts()
        .with_sse_retry(None)
        .with_json_response(true)
        .with_max_request_body_bytes(limits.body_bytes)
        .with_cancellation_token(end);
    let service =
        StreamableHttpService::new(move || Ok(server.connection()), sessions.clone(), config);
    any_service(service).layer(from_fn_with_state(sessions, bound))
}

/// Middleware: 404 for requests that name a session of someone else, 503 for
/// those that would have opened a session too many.
async fn bound(
    State(sessions): State<Arc<Sessions>>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let credential = request.extensions().get::<Credential>().copied();
    let session = headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
    if let Some(id) = session {
        let owner = sessions.owners().get(id).copied();
        if owner.is_some_and(|owner| owner != credential) {
            return (StatusCode::NOT_FOUND, "Not Found: Session not found").into_response();
        }
    }
    let caller = Caller::over_http("streamable-http", session, credential);
    request.extensions_mut().insert(caller);
    let opening = Opening {
        credential,
        refused: Cell::new(false),
    };
    let answering = async {
        let response = next.run(request).await;
        match OPENING.with(|opening| opening.refused.get()) {
            true => too_many_sessions(),
            false => response,
        }
    };
    OPENING.scope(opening, answering).await
}

pub(super) fn too_many_sessions() -> Response {
    unavailable("60", "too many sessions")
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let id: SessionId = session_id::new().map_err(SessionError::Io)?.into();
        let reserved = self.reserve(&id)?;
        // `rmcp` chooses the name of a new session itself, but not that of
        // one restored, which is otherwise the same.
        match self.inner.restore_session(id.clone()).await? {
            RestoreOutcome::Restored(transport) => {
                reserved.keep();
                Ok((id, transport))
            }
            _ => Err(LocalSessionManagerError::SessionNotFound(id)),
        }
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.inner.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.inner.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.owners().remove(id);
        self.inner.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_stream(id, message).await
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.inner.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.inner.resume(id, last_event_id).await
    }
}
