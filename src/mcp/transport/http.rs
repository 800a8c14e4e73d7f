//! The two HTTP transports, as routes of one [HTTP server](crate::http).
//!
//! | path | |
//! |---|---|
//! | `/mcp` | streamable HTTP |
//! | `/sse`, `/message/…` | HTTP+SSE |

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use tokio_util::sync::CancellationToken;

use crate::http::HttpServer;
use crate::service::Service;

use super::super::Settings;
use super::super::handler::Server;
use super::{GRACE, sse, streamable_http};

/// How long the last replies may take to be sent before their streams are closed.
const FLUSH: Duration = Duration::from_millis(100);

/// Serves until `cancel` is cancelled. Then it accepts no more requests, gives
/// running calls five seconds to end, and cancels the rest.
pub async fn serve_http(
    service: Arc<Service>,
    settings: Settings,
    mut http: HttpServer,
    cancel: CancellationToken,
) {
    let server = Server::new(service, settings);
    let end = CancellationToken::new();
    let routes = Router::new()
        .merge(streamable_http::routes(server.clone(), &http, end.clone()))
        .merge(sse::routes(server.clone(), &http, end.clone()))
        .fallback(async || StatusCode::NOT_FOUND);
    http.mount(routes);
    let closing = server.closing().clone();
    let serving = http.serve(closing.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return,
        () = cancel.cancelled() => closing.cancel(),
    }
    finish(&server, &end, serving).await;
}

/// Ends running calls, then their streams, then the connections, each within a time
/// limit.
async fn finish(
    server: &Server,
    end: &CancellationToken,
    mut serving: impl Future<Output = ()> + Unpin,
) {
    let wind_down = async {
        server.drain(GRACE).await;
        tokio::time::sleep(FLUSH).await;
        end.cancel();
        // Do not wait longer for clients that have not read the rest.
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = &mut serving => end.cancel(),
        () = wind_down => {}
    }
}
