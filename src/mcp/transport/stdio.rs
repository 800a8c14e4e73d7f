//! Standard input and output: one client, the process that started us.

use std::sync::Arc;

use rmcp::service::{RoleServer, ServerInitializeError, serve_server_with_ct};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::stdio_pipes;
use tokio_util::sync::CancellationToken;

use crate::service::Service;

use super::super::Settings;
use super::super::handler::Server;
use super::{ServeError, UntilClosing};

/// Serves until standard input ends or `cancel` is cancelled.
///
/// # Errors
///
/// [`ServeError::Handshake`] when the peer does not speak MCP.
pub async fn serve_stdio(
    service: Arc<Service>,
    settings: Settings,
    cancel: CancellationToken,
) -> Result<(), ServeError> {
    let server = Server::new(service, settings);
    let stop = server.closing().clone();
    let handler = server.connection();
    let (input, output) = stdio_pipes();
    let transport = UntilClosing {
        inner: AsyncRwTransport::<RoleServer, _, _>::new(input, output),
        closing: handler.closing().clone(),
    };
    let serving = async {
        let running = match serve_server_with_ct(handler, transport, CancellationToken::new()).await
        {
            // A client that leaves without a word did nothing wrong.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(ServeError::Handshake(Box::new(error))),
            Ok(running) => running,
        };
        running.waiting().await.map_err(ServeError::Loop)?;
        Ok(())
    };
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended,
        () = cancel.cancelled() => {
            stop.cancel();
            serving.await
        }
    }
}
