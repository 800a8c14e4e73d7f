//! Streamable HTTP at `/mcp`: with sessions for the protocol revisions that have them. Requests of
//! 2026-07-28, which has none, are answered by `rmcp`'s own service.
//!
//! An answer is `application/json`, which has no size limit for an event. If another message comes
//! first, or the answer takes longer than [`SOON`], the response is a stream of events instead,
//! which proxies do not close.

mod refusal;
mod session;
mod stateless;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use futures_util::stream::{self, StreamExt};
use rmcp::model::ProtocolVersion;
use rmcp::service::serve_server_with_ct;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::http::{Auth, HttpServer, Intake, Owner, Place, Places};

use super::super::handler::{Handler, Server};
use super::accept::Accepted;
use super::caller::Caller;
use super::channel::{Channel, INBOX, Revision, Silence};
use super::events::{self, Event};
use super::message::{Envelope, Incoming};
use super::routes::Routes;
use super::sessions::Sessions;

use refusal::Refusal;
pub(super) use refusal::too_many_sessions;
use session::Session;

/// How long an answer may take before the response begins as a stream.
const SOON: Duration = Duration::from_secs(10);
/// How long a client may take to initialise a session after it was opened.
const BEGIN: Duration = Duration::from_secs(60);

const SESSION_ID: &str = "mcp-session-id";
const REVISION: &str = "mcp-protocol-version";
/// The first revision without sessions.
const WITHOUT_SESSIONS: &str = "2026-07-28";

struct Endpoint {
    server: Arc<Server>,
    auth: Arc<Auth>,
    intake: Arc<Intake>,
    sessions: Arc<Sessions<Session>>,
    streams: Arc<Places>,
    idle: Duration,
    body_bytes: usize,
    stateless: StreamableHttpService<Handler, NeverSessionManager>,
    /// Cancelled to end all streams and sessions.
    end: CancellationToken,
}

/// The endpoint. When `end` is cancelled, all its streams and sessions end.
pub(super) fn routes(server: Arc<Server>, http: &HttpServer, end: CancellationToken) -> Router {
    let limits = http.limits();
    let handlers = server.clone();
    let config = StreamableHttpServerConfig::default()
        // Our guard has checked both headers already.
        .disable_allowed_hosts()
        .with_legacy_session_mode(false)
        .with_sse_retry(None)
        .with_json_response(true)
        .with_max_request_body_bytes(limits.body_bytes)
        .with_cancellation_token(end.clone());
    let endpoint = Arc::new(Endpoint {
        server,
        auth: http.auth().clone(),
        intake: http.intake().clone(),
        sessions: Sessions::new(http.auth().clone(), limits.sessions),
        streams: Places::new(limits.sessions),
        idle: limits.session_idle,
        body_bytes: limits.body_bytes,
        stateless: StreamableHttpService::new(
            move || Ok(handlers.connection()),
            Arc::default(),
            config,
        ),
        end,
    });
    let sessions = Arc::downgrade(&endpoint.sessions);
    http.auth().on_change(move || {
        if let Some(sessions) = sessions.upgrade() {
            sessions.end_revoked();
        }
    });
    let methods: MethodRouter<Arc<Endpoint>> = post(take).get(listen).delete(close);
    Router::new()
        .route("/mcp", methods.clone())
        .route("/mcp/", methods)
        .with_state(endpoint)
}

/// Handles a posted message or batch.
async fn take(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, endpoint.body_bytes).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let answer = endpoint.answer(head, body).await;
    answer.unwrap_or_else(Refusal::into_response)
}

impl Endpoint {
    async fn answer(self: &Arc<Self>, head: Parts, body: Bytes) -> Result<Response, Refusal> {
        if !is_json(&head.headers) {
            return Err(Refusal::MediaType);
        }
        let accepted = Accepted::of(&head.headers);
        let owner = owner(&head)?;
        let session = named(&head.headers).map(|id| {
            let session = self.sessions.get(id, owner);
            (id, session.ok_or(Refusal::NoSuchSession))
        });
        let revision = match &session {
            Some((_, Ok(session))) => session.revision.get(),
            _ => None,
        };
        match Incoming::read(&body, revision)? {
            Incoming::One(envelope) if is_stateless(&envelope, &head.headers) => {
                envelope.check_size()?;
                Ok(self.stateless(head, body.clone(), accepted).await)
            }
            Incoming::One(envelope) => {
                check_revision(&head.headers)?;
                let Some((id, session)) = session else {
                    return self.begin(envelope, head, owner, accepted).await;
                };
                let message = envelope.message()?;
                let head = with_caller(head.clone(), id);
                session?.deliver(message, head, accepted).await
            }
            Incoming::Batch(parts) => {
                let (id, session) = session.ok_or(Refusal::NoSessionNamed(None))?;
                let head = with_caller(head.clone(), id);
                session?.deliver_batch(parts, head, accepted).await
            }
        }
    }

    /// Opens a session for its first message.
    async fn begin(
        self: &Arc<Self>,
        envelope: Envelope<'_>,
        mut head: Parts,
        owner: Owner,
        accepted: Accepted,
    ) -> Result<Response, Refusal> {
        if !envelope.is_request("initialize") {
            return Err(Refusal::NoSessionNamed(envelope.id));
        }
        let message = envelope.message()?;
        let (to_server, inbox) = mpsc::channel(INBOX);
        let reader = self.intake.reader(owner).session();
        let session = Session {
            to_server,
            routes: Routes::new(reader.clone()),
            reader,
            revision: Revision::default(),
        };
        let end = self.end.child_token();
        let opened = self.sessions.open(owner, session.clone(), end.clone());
        let id = opened
            .map_err(|error| {
                tracing::error!("no session can be opened: {error}");
                Refusal::Failed
            })?
            .ok_or(Refusal::TooManySessions)?;
        let handler = self.server.connection();
        let channel = Channel {
            inbox,
            outbox: session.routes.clone(),
            silence: Some(Silence {
                begin: BEGIN,
                idle: self.idle,
            }),
            closing: handler.closing().clone(),
            revision: session.revision.clone(),
        };
        tokio::spawn(serve(
            self.sessions.clone(),
            id.clone(),
            handler,
            channel,
            end,
        ));
        head = with_caller(head, &id);
        let mut response = session.deliver(message, head, accepted).await?;
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(SESSION_ID, id);
        }
        Ok(response)
    }
}

/// Runs one session to its end.
async fn serve(
    sessions: Arc<Sessions<Session>>,
    id: String,
    handler: Handler,
    channel: Channel<Routes>,
    end: CancellationToken,
) {
    let routes = channel.outbox.clone();
    match serve_server_with_ct(handler, channel, end).await {
        Ok(running) => {
            let _ = running.waiting().await;
        }
        Err(error) => tracing::debug!(%error, "a session did not begin"),
    }
    super::channel::Outbox::close(&*routes);
    sessions.remove(&id);
}

/// Opens a stream of a session for messages that belong to no request.
async fn listen(
    State(endpoint): State<Arc<Endpoint>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (head, _) = request.into_parts();
    if revision(&head.headers).is_some_and(|revision| revision >= WITHOUT_SESSIONS) {
        let allow = [(header::ALLOW, "POST")];
        return Ok((StatusCode::METHOD_NOT_ALLOWED, allow).into_response());
    }
    let id = named(&head.headers).ok_or(Refusal::NoSessionNamed(None))?;
    let owner = owner(&head)?;
    let session = endpoint.sessions.get(id, owner);
    let session = session.ok_or(Refusal::NoSuchSession)?;
    check_revision(&head.headers)?;
    let share = endpoint.auth.share(owner, endpoint.streams.total());
    let place = endpoint.streams.take(owner, share);
    let place: Place = place.ok_or(Refusal::TooManySessions)?;
    let (unheard, messages) = session.routes.listen();
    let rest = stream::unfold((messages, place), |(mut messages, place)| async move {
        let message = messages.recv().await?;
        Some((message, (messages, place)))
    });
    let messages = stream::iter(unheard).chain(rest);
    Ok(events::response(messages.map(Event::message)))
}

/// Ends a session. Answers 204, because some clients take 202 for a failure.
async fn close(
    State(endpoint): State<Arc<Endpoint>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (head, _) = request.into_parts();
    let id = named(&head.headers).ok_or(Refusal::NoSessionNamed(None))?;
    match endpoint.sessions.close(id, owner(&head)?) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::NoSuchSession),
    }
}

fn named(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(SESSION_ID)
        .map(|id| id.to_str().unwrap_or_default())
}

fn revision(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(REVISION)
        .map(|version| version.to_str().unwrap_or_default())
}

/// Whether the request is of a revision without sessions, by its parameters or its header.
fn is_stateless(envelope: &Envelope, headers: &HeaderMap) -> bool {
    // Only revisions with sessions have this request.
    !envelope.is_request("initialize")
        && (envelope.is_request("server/discover")
            || envelope.revision().is_some()
            || revision(headers).is_some_and(|revision| revision >= WITHOUT_SESSIONS))
}

fn check_revision(headers: &HeaderMap) -> Result<(), Refusal> {
    let known = |revision: &str| {
        let mut all = ProtocolVersion::KNOWN_VERSIONS.iter();
        all.any(|version| version.as_str() == revision)
    };
    match revision(headers) {
        Some(revision) if !known(revision) => Err(Refusal::Revision),
        _ => Ok(()),
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default();
    Some(essence.trim().to_ascii_lowercase())
}

/// Required, because pages of other origins cannot post it without a preflight.
fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind == "application/json")
}

/// Every request has one, which the check of tokens adds.
fn owner(head: &Parts) -> Result<Owner, Refusal> {
    head.extensions.get().copied().ok_or(Refusal::Failed)
}

fn credential(head: &Parts) -> Option<crate::http::Credential> {
    head.extensions
        .get::<Owner>()
        .and_then(|owner| owner.credential())
}

/// The head carries the caller and the request's slot.
fn with_caller(mut head: Parts, session: &str) -> Parts {
    let caller = Caller::over_http("streamable-http", Some(session), credential(&head));
    head.extensions.insert(caller);
    head
}
