//! The connections of the HTTP server, with limits on the time and size of a
//! request's headers, and on how long a client may leave an answer unread.
//!
//! The number of connections is limited, too. At the limit, a new connection replaces
//! an idle one: first one that never showed a valid token, otherwise one of the
//! credential with the most connections. So a new client can always show its token.
//! It waits only while every connection is busy with a request.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::held::hold;
use super::limits::HttpLimits;
use super::places::Owner;
use super::stalled::Stalled;
use super::tokens::Credential;

/// Pause after a failure to accept, such as too many open files.
const REST: Duration = Duration::from_secs(1);

/// All open connections, by number.
pub(super) struct Connections {
    limit: usize,
    open: Mutex<HashMap<u64, Open>>,
    /// Notified when a connection has ended or become idle.
    room: Notify,
}

/// One connection, with the state that decides whether it is closed for another one.
struct Open {
    /// The last valid credential that a request showed.
    credential: Option<Credential>,
    /// Number of requests being answered.
    busy: usize,
    idle_since: Instant,
    evict: CancellationToken,
}

/// The connection of a request, in the request's extensions.
#[derive(Clone)]
pub(super) struct Peer {
    connections: Arc<Connections>,
    number: u64,
    address: SocketAddr,
}

/// Counts a request as being answered, until its answer is sent.
struct Busy(Peer);

impl Connections {
    fn new(limit: usize) -> Arc<Self> {
        Arc::new(Connections {
            limit,
            open: Mutex::default(),
            room: Notify::new(),
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        // No statement leaves the map half-changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room, for which an idle connection may be closed.
    async fn room(&self) {
        loop {
            let changed = self.room.notified();
            if self.make_room() {
                return;
            }
            changed.await;
        }
    }

    fn make_room(&self) -> bool {
        let mut open = self.open();
        if open.len() < self.limit {
            return true;
        }
        let mut held: HashMap<Option<Credential>, usize> = HashMap::new();
        for connection in open.values() {
            *held.entry(connection.credential).or_default() += 1;
        }
        let idle = open.iter().filter(|(_, connection)| connection.busy == 0);
        let victim = idle.min_by_key(|(_, connection)| {
            let credential = connection.credential;
            let most = std::cmp::Reverse(held.get(&credential).copied());
            (credential.is_some(), most, connection.idle_since)
        });
        let Some(number) = victim.map(|(number, _)| *number) else {
            return false;
        };
        if let Some(victim) = open.remove(&number) {
            victim.evict.cancel();
        }
        true
    }

    /// Whether few slots are left, so that connections without a credential are not kept open.
    fn is_short(&self) -> bool {
        self.open().len() >= self.limit / 2
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Open)) {
        // An evicted connection is no longer in the map.
        if let Some(open) = self.open().get_mut(&number) {
            change(open);
        }
    }
}

impl Peer {
    /// The owner of a request without a credential on this connection.
    pub fn owner(&self) -> Owner {
        Owner::Address(self.address.ip().to_canonical())
    }

    /// Records that a request on this connection showed a valid token.
    pub fn admitted(&self, credential: Credential) {
        self.connections
            .change(self.number, |open| open.credential = Some(credential));
    }

    fn is_admitted(&self) -> bool {
        let open = self.connections.open();
        open.get(&self.number)
            .is_some_and(|open| open.credential.is_some())
    }

    fn begin(&self) -> Busy {
        self.connections.change(self.number, |open| open.busy += 1);
        Busy(self.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Busy(peer) = self;
        peer.connections.change(peer.number, |open| {
            open.busy = open.busy.saturating_sub(1);
            open.idle_since = Instant::now();
        });
        peer.connections.room.notify_one();
    }
}

/// Serves connections until `closing` is cancelled, then waits for the open ones to
/// end.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    closing: CancellationToken,
) {
    let open = accept_until(closing, &listener, router, limits).await;
    // New connections are refused from now on.
    drop(listener);
    open.wait().await;
}

/// Serves connections until `closing` is cancelled, and returns those that are still
/// open; each ends after its current request.
pub(super) async fn accept_until(
    closing: CancellationToken,
    listener: &TcpListener,
    router: Router,
    limits: HttpLimits,
) -> TaskTracker {
    let http = protocol(&limits);
    let connections = Connections::new(limits.connections);
    let tasks = TaskTracker::new();
    for number in 0.. {
        let accepted = async {
            let accepted = accept(listener).await;
            connections.room().await;
            accepted
        };
        let (stream, address) = tokio::select! {
            biased;
            () = closing.cancelled() => break,
            accepted = accepted => accepted,
        };
        let evict = CancellationToken::new();
        let open = Open {
            credential: None,
            busy: 0,
            idle_since: Instant::now(),
            evict: evict.clone(),
        };
        connections.open().insert(number, open);
        let peer = Peer {
            connections: connections.clone(),
            number,
            address,
        };
        let stream = TokioIo::new(Stalled::new(stream, limits.stall));
        let router = router.clone();
        let answering = peer.clone();
        let service = service_fn(move |request| answer(router.clone(), answering.clone(), request));
        let connection = http.serve_connection(stream, service);
        let closing = closing.clone();
        tasks.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = evict.cancelled() => Ok(()),
                () = closing.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection failed");
            }
            peer.connections.open().remove(&peer.number);
            peer.connections.room.notify_one();
        });
    }
    tasks.close();
    tasks
}

/// Answers one request; its connection is busy until the answer is sent.
async fn answer(
    router: Router,
    peer: Peer,
    mut request: hyper::Request<Incoming>,
) -> Result<Response, std::convert::Infallible> {
    let busy = peer.begin();
    request.extensions_mut().insert(peer.clone());
    let mut response = router.oneshot(request.map(Body::new)).await?;
    if !peer.is_admitted() && peer.connections.is_short() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    Ok(hold(response, busy))
}

fn protocol(limits: &HttpLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_header_size(limits.header_bytes);
    http
}

/// Accepts the next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Small messages must not wait for earlier ones to be acknowledged.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "no TCP_NODELAY");
                }
                return (stream, address);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!("failed to accept a connection: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
