//! How clients reach the server.
//!
//! The service's end is the same everywhere: no more requests are taken, the
//! calls under way get [`GRACE`] to end, and what is left is cancelled.

mod caller;
mod error;
mod http;
mod session_id;
mod sse;
mod stdio;
mod streamable_http;

use std::time::Duration;

use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio_util::sync::CancellationToken;

pub(super) use caller::Caller;
pub use error::ServeError;
pub use http::serve_http;
pub use stdio::serve_stdio;

/// How long calls may run on after the server was told to stop. The same as
/// `rmcp` waits at the end of a connection's input.
const GRACE: Duration = Duration::from_secs(5);

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
