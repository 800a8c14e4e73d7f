//! HTTP+SSE, the transport of protocol revision 2024-11-05, which many clients still
//! use.
//!
//! `GET /sse` opens a session and an event stream. The first event, `endpoint`, has
//! the secret URL to which the client posts its messages. Each post is answered with
//! 202, and the server's messages are sent as `message` events. The session ends with
//! the stream.
//!
//! <https://modelcontextprotocol.io/specification/2024-11-05/basic/transports>

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::serve_server_with_ct;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::http::{HttpServer, InFlight, Intake, Owner};
use crate::runtime::Reader;

use super::super::handler::{Handler, Server};
use super::caller::Caller;
use super::channel::{Begun, Channel, INBOX, Outbox, Revision, Silence};
use super::events::{self, Event};
use super::message::{Envelope, Incoming, Unreadable};
use super::outgoing::{Outgoing, Requests, SendError};
use super::sessions::{Link, Sessions};
use super::streamable_http::too_many_sessions;

/// Most waiting messages for the client; at this number, the server waits.
const QUEUE: usize = 16;

/// How long a client may take until its first message.
const BEGIN: Duration = Duration::from_secs(60);

struct Endpoint {
    server: Arc<Server>,
    intake: Arc<Intake>,
    sessions: Arc<Sessions<Session>>,
    idle: Duration,
    body_bytes: usize,
    /// Cancelled to end all sessions at once.
    end: CancellationToken,
}

/// The server's handle to a session.
#[derive(Clone)]
struct Session {
    to_server: mpsc::Sender<Box<ClientJsonRpcMessage>>,
    stream: Arc<EventStream>,
    revision: Revision,
    begun: Begun,
}

impl Link for Session {
    /// A session has a stream for as long as it lasts.
    fn is_active(&self) -> bool {
        true
    }
}

/// The routes `/sse` and `/message/…`. When `end` is cancelled, all streams end.
pub(super) fn routes(server: Arc<Server>, http: &HttpServer, end: CancellationToken) -> Router {
    let limits = http.limits();
    let endpoint = Endpoint {
        server,
        intake: http.intake().clone(),
        sessions: Sessions::new(http.auth().clone(), limits.sessions),
        idle: limits.session_idle,
        body_bytes: limits.body_bytes,
        end,
    };
    let sessions = Arc::downgrade(&endpoint.sessions);
    http.auth().on_change(move || {
        if let Some(sessions) = sessions.upgrade() {
            sessions.end_revoked();
        }
    });
    Router::new()
        .route("/sse", get(open))
        .route("/sse/", get(open))
        .route("/message/{session}", post(accept))
        .route("/message/{session}/", post(accept))
        .with_state(Arc::new(endpoint))
}

async fn open(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let Some(owner) = request.extensions().get::<Owner>().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (to_server, inbox) = mpsc::channel(INBOX);
    let (to_client, messages) = mpsc::channel(QUEUE);
    let session = Session {
        to_server,
        stream: EventStream::new(to_client, endpoint.intake.reader(owner).session()),
        revision: Revision::default(),
        begun: Begun::default(),
    };
    let end = endpoint.end.child_token();
    let opened = endpoint.sessions.open(owner, session.clone(), end.clone());
    let id = match opened {
        Ok(Some(id)) => id,
        Ok(None) => return too_many_sessions(),
        Err(error) => {
            tracing::error!("no session can be opened: {error}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let handler = endpoint.server.connection();
    let channel = Channel {
        inbox,
        outbox: session.stream,
        silence: Some(Silence {
            begin: BEGIN,
            idle: endpoint.idle,
        }),
        closing: handler.closing().clone(),
        revision: session.revision,
    };
    let first = Event::named("endpoint", &format!("/message/{id}"));
    let sessions = endpoint.sessions.clone();
    tokio::spawn(serve(sessions, id, handler, channel, end.clone()));
    // The session ends when the stream ends or is dropped.
    let end = end.drop_guard();
    let rest = stream::unfold((messages, end), |(mut messages, end)| async move {
        let message = messages.recv().await?;
        Some((Event::message(message), (messages, end)))
    });
    events::response(stream::once(async { first }).chain(rest))
}

/// Runs one session to its end.
async fn serve(
    sessions: Arc<Sessions<Session>>,
    id: String,
    handler: Handler,
    channel: Channel<EventStream>,
    end: CancellationToken,
) {
    match serve_server_with_ct(handler, channel, end).await {
        Ok(running) => {
            let _ = running.waiting().await;
        }
        Err(error) => tracing::debug!(%error, "an SSE session did not begin"),
    }
    sessions.remove(&id);
}

async fn accept(
    State(endpoint): State<Arc<Endpoint>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (mut head, body) = request.into_parts();
    let owner = head.extensions.get::<Owner>().copied();
    let session = owner.and_then(|owner| endpoint.sessions.get(&id, owner));
    let Some(session) = session else {
        return (StatusCode::NOT_FOUND, "Not Found: no such session\n").into_response();
    };
    let Ok(body) = axum::body::to_bytes(body, endpoint.body_bytes).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // The head's extensions carry the caller and the request's slot.
    let credential = owner.and_then(Owner::credential);
    let caller = Caller::over_http("sse", Some(&id), credential);
    head.extensions.insert(caller);
    let taken = match Incoming::read(&body, session.revision.get()) {
        Ok(Incoming::One(envelope)) => session.take(envelope, head).await,
        Ok(Incoming::Batch(parts)) => session.take_batch(parts, head).await,
        Err(unreadable) => return session.refuse(&unreadable),
    };
    match taken {
        Ok(response) => response,
        Err(Ended) => (StatusCode::NOT_FOUND, "Not Found: the session has ended\n").into_response(),
    }
}

/// The session ended before it took the message.
struct Ended;

impl Session {
    async fn take(&self, envelope: Envelope<'_>, head: Parts) -> Result<Response, Ended> {
        match self.begun.message(envelope) {
            Ok(Some(message)) => {
                let place = in_flight(&head);
                self.pass(message, head, place).await.map(|()| accepted())
            }
            Ok(None) => Ok(accepted()),
            Err(unreadable) => Ok(self.refuse(&unreadable)),
        }
    }

    async fn take_batch(
        &self,
        parts: Vec<Result<Envelope<'_>, Unreadable>>,
        head: Parts,
    ) -> Result<Response, Ended> {
        let requests = &self.stream.requests;
        let (messages, complete) = requests.begin_batch(parts);
        self.stream.push(complete).await;
        let place = in_flight(&head);
        for (part, message) in messages.into_iter().enumerate() {
            self.pass(message, head.clone(), place.part(part)).await?;
        }
        Ok(accepted())
    }

    async fn pass(
        &self,
        mut message: ClientJsonRpcMessage,
        mut head: Parts,
        place: InFlight,
    ) -> Result<(), Ended> {
        place.read_by(self.stream.reader.clone());
        let complete = self.stream.requests.note(&message, place.clone());
        self.stream.push(complete).await;
        head.extensions.insert(place);
        message.insert_extension(head);
        self.to_server
            .send(Box::new(message))
            .await
            .map_err(|_| Ended)
    }

    /// Sends the error both as a response and on the stream, since some clients read
    /// only the stream.
    fn refuse(&self, unreadable: &Unreadable) -> Response {
        tracing::warn!("refused a message: {}", unreadable.error.message);
        let stream = self.stream.clone();
        let event = Outgoing::unreadable(unreadable);
        tokio::spawn(async move { stream.push(Some(event)).await });
        let headers = [(header::CONTENT_TYPE, "application/json")];
        (StatusCode::BAD_REQUEST, headers, unreadable.encode()).into_response()
    }
}

/// Every posted request has one, which the intake adds.
fn in_flight(head: &Parts) -> InFlight {
    let place = head.extensions.get::<InFlight>();
    place.cloned().unwrap_or_default()
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, "Accepted").into_response()
}

/// The event stream that carries all messages of a session.
struct EventStream {
    to_client: Mutex<Option<mpsc::Sender<Outgoing>>>,
    reader: Reader,
    requests: Requests,
}

impl EventStream {
    fn new(to_client: mpsc::Sender<Outgoing>, reader: Reader) -> Arc<Self> {
        Arc::new(EventStream {
            to_client: Mutex::new(Some(to_client)),
            reader,
            requests: Requests::default(),
        })
    }

    fn sender(&self) -> Option<mpsc::Sender<Outgoing>> {
        let sender = self.to_client.lock();
        sender.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the message, if there is one and the stream is open.
    async fn push(&self, message: Option<Outgoing>) {
        if let (Some(message), Some(sender)) = (message, self.sender()) {
            let _ = sender.send(message).await;
        }
    }
}

impl Outbox for EventStream {
    async fn send(self: Arc<Self>, message: ServerJsonRpcMessage) -> Result<(), SendError> {
        let sender = self.sender().ok_or(SendError::Closed)?;
        let Some(message) = self.requests.pass(message, &self.reader)? else {
            return Ok(());
        };
        sender.send(message).await.map_err(|_| SendError::Closed)
    }

    fn close(&self) {
        let sender = self.to_client.lock();
        *sender.unwrap_or_else(PoisonError::into_inner) = None;
    }
}
