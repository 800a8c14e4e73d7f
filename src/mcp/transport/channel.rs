//! The server's side of one client, whichever way its messages travel.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::model::{ClientJsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage, ServerResult};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::outgoing::SendError;

/// Messages of a client waiting to be taken before its next one is read.
pub(super) const INBOX: usize = 16;

/// Where the server's messages to a client go.
pub(super) trait Outbox: Send + Sync + 'static {
    /// Resolves when the message is on its way, or cannot be.
    fn send(
        self: Arc<Self>,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static;

    /// Sends nothing more.
    fn close(&self);
}

/// How long a client may be silent.
#[derive(Clone, Copy)]
pub(super) struct Silence {
    /// Before its first message.
    pub begin: Duration,
    /// After it, in both directions.
    pub idle: Duration,
}

/// The two directions, as `rmcp` wants them. Its input ends when the client
/// ends it, after too long a silence, or when the server is closing.
///
/// Stopping looks to the service loop like the end of the input, upon which it
/// waits for the calls under way. Either end is passed on through `closing`.
pub(super) struct Channel<O> {
    pub inbox: mpsc::Receiver<ClientJsonRpcMessage>,
    pub outbox: Arc<O>,
    /// None where only the end of the input ends it.
    pub silence: Option<Silence>,
    pub closing: CancellationToken,
    /// Set when the client has initialised.
    pub revision: Revision,
}

/// The protocol revision of a session, once it is negotiated.
pub(super) type Revision = Arc<OnceLock<ProtocolVersion>>;

impl<O: Outbox> Transport<RoleServer> for Channel<O> {
    type Error = SendError;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        if let ServerJsonRpcMessage::Response(response) = &message
            && let ServerResult::InitializeResult(initialized) = &response.result
        {
            // A second `initialize` changes nothing.
            let _ = self.revision.set(initialized.protocol_version.clone());
        }
        self.outbox.clone().send(message)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let Channel {
            inbox,
            silence,
            closing,
            ..
        } = self;
        let next = async {
            let Some(silence) = silence else {
                return inbox.recv().await;
            };
            // The service loop asks anew whenever something happened, so this
            // ends only after silence in both directions.
            let next = tokio::time::timeout(silence.begin, inbox.recv()).await;
            silence.begin = silence.idle;
            next.ok().flatten()
        };
        let message = tokio::select! {
            biased;
            () = closing.cancelled() => None,
            message = next => message,
        };
        if message.is_none() {
            closing.cancel();
        }
        message
    }

    async fn close(&mut self) -> Result<(), SendError> {
        self.outbox.close();
        Ok(())
    }
}
