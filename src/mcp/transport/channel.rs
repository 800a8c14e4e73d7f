//! The server's end of one client's connection, for any transport.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::model::{ClientJsonRpcMessage, ProtocolVersion, ServerJsonRpcMessage, ServerResult};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::message::{Envelope, Unreadable, invalid};
use super::outgoing::SendError;

/// Most messages of a client waiting to be handled; at this number, no more are read.
pub(super) const INBOX: usize = 16;

/// The sink for the server's messages to a client.
pub(super) trait Outbox: Send + Sync + 'static {
    /// Resolves when the message was handed on or could not be sent.
    fn send(
        self: Arc<Self>,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static;

    /// Stops sending.
    fn close(&self);
}

/// How long a client may be silent.
#[derive(Clone, Copy)]
pub(super) struct Silence {
    /// Before its first message.
    pub begin: Duration,
    /// After that, in both directions.
    pub idle: Duration,
}

/// Both directions, in the form that `rmcp` takes. The input ends when the client ends it, after
/// too long a silence, or when the server is closing.
///
/// To the service loop, closing looks like the end of the input, after which it waits
/// for running calls. Either end cancels `closing`.
pub(super) struct Channel<O> {
    /// Boxed, since the channel of an idle session keeps room for 32 of them.
    pub inbox: mpsc::Receiver<Box<ClientJsonRpcMessage>>,
    pub outbox: Arc<O>,
    /// `None` where only the end of the input ends the connection.
    pub silence: Option<Silence>,
    pub closing: CancellationToken,
    /// Set when the client has initialised.
    pub revision: Revision,
}

/// The protocol revision of a session, once negotiated.
pub(super) type Revision = Arc<OnceLock<ProtocolVersion>>;

/// Whether a client has begun its session. `rmcp` ends a connection whose first
/// message is a notification, and explains a request before `initialize` in terms of
/// a revision that the client may not know.
#[derive(Clone, Default)]
pub(super) struct Begun(Arc<AtomicBool>);

impl Begun {
    /// Parses the message; `None` if it is to be ignored.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] as of [`Envelope::message`], and for a request before the
    /// session has begun.
    pub fn message(
        &self,
        envelope: Envelope<'_>,
    ) -> Result<Option<ClientJsonRpcMessage>, Unreadable> {
        if envelope.begins() {
            self.0.store(true, Ordering::Relaxed);
        }
        let has_begun = self.0.load(Ordering::Relaxed) || envelope.is_request("ping");
        let message = envelope.message()?;
        match message {
            message if has_begun => Ok(Some(message)),
            ClientJsonRpcMessage::Request(request) => Err(invalid(
                Some(request.id),
                "the session has not begun: send `initialize` first",
            )),
            _ => Ok(None),
        }
    }
}

impl<O: Outbox> Transport<RoleServer> for Channel<O> {
    type Error = SendError;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        if let ServerJsonRpcMessage::Response(response) = &message
            && let ServerResult::InitializeResult(initialized) = &response.result
        {
            // A second `initialize` does not change it.
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
            // The service loop calls `receive` again after every event, so the
            // timeout only expires after silence in both directions.
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
        message.map(|message| *message)
    }

    async fn close(&mut self) -> Result<(), SendError> {
        self.outbox.close();
        Ok(())
    }
}
