//! How clients reach the server.
//!
//! The service's end is the same everywhere: no more requests are taken, the
//! calls under way get [`GRACE`] to end, and what is left is cancelled.

mod guard;
mod http;
mod sse;
mod stdio;
mod streamable_http;

use std::io;
use std::time::Duration;

use rmcp::service::{RoleServer, RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio_util::sync::CancellationToken;

use crate::error::{Class, Diagnose};

pub use http::{HttpOptions, bind, serve_http};
pub use stdio::serve_stdio;

/// How long calls may run on after the server was told to stop. The same as
/// `rmcp` waits at the end of a connection's input.
const GRACE: Duration = Duration::from_secs(5);

/// The largest message a client may send, in bytes; `rmcp`'s limit on stdio.
const MAX_MESSAGE: usize = rmcp::transport::async_rw::DEFAULT_MAX_LINE_LENGTH;

/// Why the server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("Failed to listen on `{address}`")]
    Bind { address: String, source: io::Error },
    #[error("`{text}` is not a host name with an optional port")]
    AllowedHost { text: String },
    #[error("The HTTP server failed")]
    Http(#[source] io::Error),
    #[error("The client did not begin as the protocol requires")]
    Handshake(#[source] Box<ServerInitializeError>),
    #[error("The service loop ended before its time")]
    Loop(#[source] tokio::task::JoinError),
}

impl Diagnose for ServeError {
    fn code(&self) -> &'static str {
        match self {
            ServeError::Bind { .. } => "bind-failed",
            ServeError::AllowedHost { .. } => "invalid-host",
            ServeError::Http(_) => "http-server-failed",
            ServeError::Handshake(_) => "handshake-failed",
            ServeError::Loop(_) => "internal",
        }
    }

    fn class(&self) -> Class {
        match self {
            ServeError::AllowedHost { .. } => Class::Usage,
            ServeError::Bind { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                Class::Usage
            }
            ServeError::Bind { .. } => Class::Network,
            _ => Class::Other,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            ServeError::Bind { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another process listens there; choose another port, or 0 for any free one"
                }
                io::ErrorKind::PermissionDenied => "choose a port of 1024 or above",
                _ => "give the address of this machine as host:port, such as 127.0.0.1:8089",
            },
            ServeError::AllowedHost { .. } => "write it as in `mcp.example.com` or `10.0.0.7:8089`",
            _ => return None,
        };
        Some(hint.into())
    }
}

/// A transport whose input ends when the peer ends it, or at `closing`.
///
/// Stopping looks to the service loop like the end of the input, upon which it
/// waits for the calls under way. Either end is passed on through `closing`.
struct UntilClosing<T> {
    inner: T,
    closing: CancellationToken,
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for UntilClosing<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let message = tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            message = self.inner.receive() => message,
        };
        if message.is_none() {
            self.closing.cancel();
        }
        message
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}
