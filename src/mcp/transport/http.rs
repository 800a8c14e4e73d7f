//! One HTTP server for both HTTP transports.
//!
//! | path | |
//! |---|---|
//! | `/mcp` | streamable HTTP |
//! | `/sse`, `/message/…` | HTTP+SSE |
//! | `/v2/…` | what is installed, as an OCI registry, where it is shared |
//! | `/healthz` | 200 while the process lives |
//! | `/readyz` | 200 while requests are taken, 503 after |
//!
//! A request passes the [limits of its connection](super::connections), the
//! [check of its hosts](super::guard), then, except for the last two paths,
//! that of its [token](super::auth), and is [taken in](super::intake). Pages of
//! other origins are [told](super::cors) that they may use the first two.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::service::Service;
use crate::service::share::{Scope, Share};

use super::super::Settings;
use super::super::handler::Server;
use super::auth::{self, Auth};
use super::guard::{self, Guard};
use super::intake::{self, Intake};
use super::{GRACE, HttpLimits, ServeError, connections, cors, share, sse, streamable_http};

/// Time for the last replies to leave before their streams are closed.
const FLUSH: Duration = Duration::from_millis(100);

/// How the HTTP server is set up.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    pub auth: Auth,
    /// Hosts (`name` or `name:port`), besides the loopback ones, that the
    /// `Host` and `Origin` headers of a request may name.
    pub allowed_hosts: Vec<String>,
    /// Origins (`https://name[:port]`), besides those of these hosts, that the
    /// `Origin` header may name.
    pub allowed_origins: Vec<String>,
    pub limits: HttpLimits,
    /// What other nodes may pull from this one; nothing, unless it is set.
    pub share: Option<Scope>,
}

/// Serves until `cancel` is cancelled, then ends as the [module](super) says.
///
/// # Errors
///
/// [`ServeError::AllowedHost`] and [`ServeError::AllowedOrigin`], before
/// anything is served.
pub async fn serve_http(
    service: Arc<Service>,
    settings: Settings,
    listener: TcpListener,
    options: HttpOptions,
    cancel: CancellationToken,
) -> Result<(), ServeError> {
    let guard = Guard::new(&options.allowed_hosts, &options.allowed_origins)?;
    let shared = options.share.map(|scope| service.share(scope));
    if let Some(shared) = shared.clone() {
        tokio::spawn(async move { shared.announce().await });
    }
    let server = Server::new(service, settings);
    let end = CancellationToken::new();
    let limits = options.limits.clone();
    let router = router(&server, (guard, shared), options, &end);
    let closing = server.closing().clone();
    let serving = connections::serve(listener, router, limits, closing.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = cancel.cancelled() => closing.cancel(),
    }
    finish(&server, &end, serving).await;
    Ok(())
}

/// The bounded end: running calls, then their streams, then the connections.
async fn finish(
    server: &Server,
    end: &CancellationToken,
    mut serving: impl Future<Output = ()> + Unpin,
) {
    let wind_down = async {
        server.drain(GRACE).await;
        tokio::time::sleep(FLUSH).await;
        end.cancel();
        // Who does not take what is left by now is not waited for.
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = &mut serving => end.cancel(),
        () = wind_down => {}
    }
}

fn router(
    server: &Arc<Server>,
    (guard, shared): (Guard, Option<Arc<Share>>),
    options: HttpOptions,
    end: &CancellationToken,
) -> Router {
    let HttpOptions { auth, limits, .. } = options;
    let (auth, intake) = (Arc::new(auth), Arc::new(Intake::new(limits.clone())));
    let registry = shared.map(|shared| share::routes(shared, intake.clone(), auth.clone()));
    let mcp = streamable_http::endpoint(server.clone(), &limits, end.clone());
    Router::new()
        .route("/mcp", mcp)
        .merge(sse::routes(server.clone(), &limits, end.clone()))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(from_fn_with_state(intake, intake::take))
        .layer(from_fn_with_state(auth, auth::check))
        .layer(from_fn(cors::answer))
        .merge(registry.unwrap_or_default())
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(server.clone()))
        .layer(from_fn_with_state(Arc::new(guard), guard::check))
}

async fn ready(State(server): State<Arc<Server>>) -> (StatusCode, &'static str) {
    if server.closing().is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "closing\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}
