//! HTTP+SSE, the transport of protocol revision 2024-11-05, which many
//! clients still use.
//!
//! `GET /sse` opens a session and a stream of events. The first event,
//! `endpoint`, names the URL to which the client posts its messages; only who
//! reads the stream knows it. Each post is answered with 202, and what the
//! server has to say comes as `message` events. The session ends with the
//! stream.
//!
//! <https://modelcontextprotocol.io/specification/2024-11-05/basic/transports>

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, Stream, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::{RoleServer, serve_server_with_ct};
use rmcp::transport::Transport;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::http::{Credential, HttpLimits};

use super::super::handler::Server;
use super::caller::Caller;
use super::streamable_http::too_many_sessions;
use super::{UntilClosing, session_id};

/// Comments keep proxies from closing a quiet stream, and find dead clients.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Messages waiting in either direction before the sender has to wait.
const QUEUE: usize = 64;

/// How long a client may take to begin.
const BEGIN: Duration = Duration::from_secs(60);

/// The sessions, by the secret part of their message URL.
struct Sessions {
    server: Arc<Server>,
    limit: usize,
    idle: Duration,
    body_bytes: usize,
    /// Cancelled to end all sessions at once.
    end: CancellationToken,
    open: Mutex<HashMap<String, Session>>,
}

struct Session {
    to_server: mpsc::Sender<ClientJsonRpcMessage>,
    /// The token that opened the stream; no other may post to it.
    owner: Option<Credential>,
}

impl Sessions {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // The map is whole between any two statements.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `/sse` and its message endpoint. When `end` is cancelled, all streams end.
pub(super) fn routes(server: Arc<Server>, limits: &HttpLimits, end: CancellationToken) -> Router {
    let sessions = Sessions {
        server,
        limit: limits.sessions,
        idle: limits.session_idle,
        body_bytes: limits.body_bytes,
        end,
        open: Mutex::default(),
    };
    Router::new()
        .route("/sse", get(open))
        .route("/message/{session}", post(accept))
        .with_state(Arc::new(sessions))
}

async fn open(
    State(sessions): State<Arc<Sessions>>,
    credential: Option<Extension<Credential>>,
) -> Response {
    let id = match session_id::new() {
        Ok(id) => id,
        Err(error) => {
            tracing::error!("no session can be opened: {error}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let (to_server, from_client) = mpsc::channel(QUEUE);
    let (to_client, events) = mpsc::channel(QUEUE);
    {
        let mut open = sessions.open();
        if open.len() >= sessions.limit {
            return too_many_sessions();
        }
        let owner = credential.map(|Extension(credential)| credential);
        open.insert(id.clone(), Session { to_server, owner });
    }
    let end = sessions.end.child_token();
    let transport = SseTransport {
        from_client,
        to_client: Some(to_client),
        patience: BEGIN,
        idle: sessions.idle,
    };
    tokio::spawn(serve(sessions.clone(), id.clone(), transport, end.clone()));
    let endpoint = Event::default()
        .event("endpoint")
        .data(format!("/message/{id}"));
    let stream = stream::once(async { endpoint })
        .chain(received(events, end.drop_guard()))
        .map(Ok::<_, Infallible>);
    let headers = [
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        // Otherwise nginx holds events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    (headers, Sse::new(stream).keep_alive(keep_alive)).into_response()
}

/// The channel as a stream; dropping the stream, or its end, drops `session`.
fn received(events: mpsc::Receiver<Event>, session: DropGuard) -> impl Stream<Item = Event> {
    stream::unfold((events, session), |(mut events, session)| async move {
        let event = events.recv().await?;
        Some((event, (events, session)))
    })
}

async fn accept(
    State(sessions): State<Arc<Sessions>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let credential = request.extensions().get::<Credential>().copied();
    let sender = match sessions.open().get(&id) {
        Some(session) if session.owner == credential => session.to_server.clone(),
        _ => return (StatusCode::NOT_FOUND, "Not Found: no such session\n").into_response(),
    };
    let (mut head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, sessions.body_bytes).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut message: ClientJsonRpcMessage = match serde_json::from_slice(&body) {
        Ok(message) => message,
        Err(fault) => {
            let text = format!("Bad Request: not a JSON-RPC message: {fault}\n");
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    // The head carries what is known of the caller, and the request's place
    // among those worked on.
    let caller = Caller::over_http("sse", Some(&id), credential);
    head.extensions.insert(caller);
    message.insert_extension(head);
    match sender.send(message).await {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "Not Found: the session has ended\n").into_response(),
    }
}

/// Runs one session to its end.
async fn serve(
    sessions: Arc<Sessions>,
    id: String,
    transport: SseTransport,
    end: CancellationToken,
) {
    let handler = sessions.server.connection();
    let transport = UntilClosing {
        inner: transport,
        closing: handler.closing().clone(),
    };
    match serve_server_with_ct(handler, transport, end).await {
        Ok(running) => {
            let _ = running.waiting().await;
        }
        Err(error) => tracing::debug!(%error, "an SSE session did not begin"),
    }
    sessions.open().remove(&id);
}

/// The server's side of one session.
struct SseTransport {
    from_client: mpsc::Receiver<ClientJsonRpcMessage>,
    to_client: Option<mpsc::Sender<Event>>,
    /// How long the next message may take.
    patience: Duration,
    /// How long those after it may.
    idle: Duration,
}

/// Nothing was sent, and nothing more can be.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the event stream is closed")]
    Closed,
    #[error("the message does not serialise")]
    Serialise(#[source] serde_json::Error),
}

impl Transport<RoleServer> for SseTransport {
    type Error = SendError;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        let sender = self.to_client.clone();
        async move {
            let sender = sender.ok_or(SendError::Closed)?;
            let data = serde_json::to_string(&message).map_err(SendError::Serialise)?;
            let event = Event::default().event("message").data(data);
            sender.send(event).await.map_err(|_| SendError::Closed)
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        // The service loop asks anew whenever something happened, so that this
        // ends only after silence in both directions.
        let next = tokio::time::timeout(self.patience, self.from_client.recv()).await;
        self.patience = self.idle;
        next.ok().flatten()
    }

    async fn close(&mut self) -> Result<(), SendError> {
        self.to_client = None;
        Ok(())
    }
}
