//! One HTTP server for both HTTP transports.
//!
//! | path | |
//! |---|---|
//! | `/mcp` | streamable HTTP |
//! | `/sse`, `/message/…` | HTTP+SSE |
//! | `/healthz` | 200 while the process lives |
//! | `/readyz` | 200 while requests are taken, 503 after |

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::service::Service;

use super::super::handler::Server;
use super::guard::{self, Guard};
use super::{GRACE, ServeError, sse, streamable_http};

/// Time for the last replies to leave before their streams are closed.
const FLUSH: Duration = Duration::from_millis(100);

/// How the HTTP server is set up.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Hosts (`name` or `name:port`), besides the loopback ones, that the
    /// `Host` and `Origin` headers of a request may name.
    pub allowed_hosts: Vec<String>,
    /// How many sessions each of the transports may have open.
    pub max_sessions: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            allowed_hosts: Vec::new(),
            max_sessions: 1024,
        }
    }
}

/// Listens on `host:port`. Apart from serving, so that a taken port is an
/// error before anything else is begun.
///
/// # Errors
///
/// [`ServeError::Bind`].
pub async fn bind(address: &str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Bind {
            address: address.to_owned(),
            source,
        })
}

/// Serves until `cancel` is cancelled, then ends as the [module](super) says.
///
/// # Errors
///
/// [`ServeError::AllowedHost`] before anything is served; [`ServeError::Http`]
/// when the listener fails.
pub async fn serve_http(
    service: Arc<Service>,
    listener: TcpListener,
    options: HttpOptions,
    cancel: CancellationToken,
) -> Result<(), ServeError> {
    let guard = Arc::new(Guard::new(&options.allowed_hosts)?);
    let server = Server::new(service);
    let end = CancellationToken::new();
    let router = router(&server, guard, options.max_sessions, &end);
    // Small messages must not wait for one another's acknowledgement.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
    });
    let closing = server.closing().clone();
    let serving = axum::serve(listener, router)
        .with_graceful_shutdown(closing.clone().cancelled_owned())
        .into_future();
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended.map_err(ServeError::Http),
        () = cancel.cancelled() => closing.cancel(),
    }
    finish(&server, &end, serving).await
}

/// The bounded end: running calls, then their streams, then the connections.
async fn finish(
    server: &Server,
    end: &CancellationToken,
    mut serving: impl Future<Output = io::Result<()>> + Unpin,
) -> Result<(), ServeError> {
    let wind_down = async {
        server.drain(GRACE).await;
        tokio::time::sleep(FLUSH).await;
        end.cancel();
        // Who does not take what is left by now is not waited for.
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = &mut serving => {
            end.cancel();
            ended.map_err(ServeError::Http)
        }
        () = wind_down => Ok(()),
    }
}

fn router(
    server: &Arc<Server>,
    guard: Arc<Guard>,
    max_sessions: usize,
    end: &CancellationToken,
) -> Router {
    let mcp = streamable_http::endpoint(server.clone(), max_sessions, end.clone());
    Router::new()
        .route("/mcp", mcp)
        .merge(sse::routes(server.clone(), max_sessions, end.clone()))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(server.clone()))
        .layer(from_fn_with_state(guard, guard::check))
}

async fn ready(State(server): State<Arc<Server>>) -> (StatusCode, &'static str) {
    if server.closing().is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "closing\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}
