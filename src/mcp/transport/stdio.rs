//! Standard input and output, for one client: the process that started the server.
//!
//! Each message is a line. Requests wait while too many answers are unread, or while open requests
//! use too much memory; some megabytes of them are read ahead.

use std::sync::Arc;

use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use rmcp::transport::stdio_pipes;
use tokio::io::{AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::http::{HttpLimits, InFlight, RequestMemory};
use crate::runtime::{Answers, Reader as AnswerReader};
use crate::service::Service;

use super::super::Settings;
use super::super::handler::Server;
use super::ServeError;
use super::channel::{Begun, Channel, INBOX, Outbox, Revision};
use super::lines::{Line, Lines};
use super::message::{Incoming, Unreadable, id_in, invalid};
use super::outgoing::{Outgoing, Requests, SendError, refusal};
use super::read_ahead::ReadAhead;

/// Most unread answers; at this number, no further request is handled.
const UNREAD: usize = 32;

/// Serves until standard input ends or `cancel` is cancelled.
///
/// # Errors
///
/// [`ServeError::Handshake`] when the client does not speak MCP.
pub async fn serve_stdio(
    service: Arc<Service>,
    settings: Settings,
    limits: HttpLimits,
    cancel: CancellationToken,
) -> Result<(), ServeError> {
    let memory = service.memory().clone();
    let server = Server::new(service, settings);
    let stop = server.closing().clone();
    let handler = server.connection();
    let (input, output) = stdio_pipes();
    let (to_server, inbox) = mpsc::channel(INBOX);
    let answers = Answers::new(&memory, limits.answer_memory as u64);
    let output = Output::new(output, answers.reader());
    let revision = Revision::default();
    let reader = Reader {
        lines: ReadAhead::start(Lines::new(BufReader::new(input), limits.body_bytes)),
        limit: limits.body_bytes,
        output: output.clone(),
        revision: revision.clone(),
        begun: Begun::default(),
        memory: RequestMemory::new(limits.request_memory, &memory),
        to_server,
    };
    tokio::spawn(reader.run());
    let channel = Channel {
        inbox,
        outbox: output,
        silence: None,
        closing: handler.closing().clone(),
        revision,
    };
    let serving = async {
        let running = match serve_server_with_ct(handler, channel, CancellationToken::new()).await {
            // It is no error if a client closes the connection without a message.
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

/// Reads the client's messages.
struct Reader<W> {
    lines: ReadAhead,
    /// Longest message, in bytes.
    limit: usize,
    output: Arc<Output<W>>,
    revision: Revision,
    begun: Begun,
    memory: RequestMemory,
    to_server: mpsc::Sender<Box<ClientJsonRpcMessage>>,
}

/// The service accepts no more messages.
struct Ended;

impl<W: AsyncWrite + Unpin + Send + 'static> Reader<W> {
    /// Passes messages on until the end of the input. If the service ends first, this is noticed
    /// only at the next line.
    async fn run(mut self) {
        loop {
            self.output.until_read().await;
            let taken = match self.lines.next().await {
                Ok(Some(Line::Whole(line))) => self.take(&line).await,
                Ok(Some(Line::TooLong)) => {
                    let most = self.limit;
                    let reason = format!(
                        "the message is larger than {most} bytes; `max_body` in section \
                         `[server]` of config.toml or `--max-body` sets the limit"
                    );
                    self.refuse(&invalid(None, reason)).await;
                    Ok(())
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::error!("standard input cannot be read: {error}");
                    return;
                }
            };
            if taken.is_err() {
                return;
            }
        }
    }

    async fn take(&self, line: &[u8]) -> Result<(), Ended> {
        let place = InFlight::of(self.output.reader.clone());
        if let Err(no_room) = self.memory.take(line, &place).await {
            self.refuse(&refusal(id_in(line), no_room)).await;
            return Ok(());
        }
        match Incoming::read(line, self.revision.get()) {
            Ok(Incoming::One(envelope)) => match self.begun.message(envelope) {
                Ok(Some(message)) => self.pass(message, place).await,
                Ok(None) => Ok(()),
                Err(unreadable) => {
                    self.refuse(&unreadable).await;
                    Ok(())
                }
            },
            Ok(Incoming::Batch(parts)) => {
                let (messages, complete) = self.output.requests.begin_batch(parts);
                self.output.write(complete).await;
                for (part, message) in messages.into_iter().enumerate() {
                    self.pass(message, place.part(part)).await?;
                }
                Ok(())
            }
            Err(unreadable) => {
                self.refuse(&unreadable).await;
                Ok(())
            }
        }
    }

    async fn pass(&self, mut message: ClientJsonRpcMessage, place: InFlight) -> Result<(), Ended> {
        let complete = self.output.requests.note(&message, place.clone());
        self.output.write(complete).await;
        message.insert_extension(place);
        self.to_server
            .send(Box::new(message))
            .await
            .map_err(|_| Ended)
    }

    async fn refuse(&self, unreadable: &Unreadable) {
        tracing::warn!("refused a message: {}", unreadable.error.message);
        self.output
            .write(Some(Outgoing::unreadable(unreadable)))
            .await;
    }
}

/// Writes the server's messages, one per line.
struct Output<W> {
    writer: Mutex<Option<W>>,
    reader: AnswerReader,
    requests: Requests,
    /// Number of messages that are not written yet.
    unread: watch::Sender<usize>,
}

impl<W: AsyncWrite + Unpin + Send + 'static> Output<W> {
    fn new(writer: W, reader: AnswerReader) -> Arc<Self> {
        Arc::new(Output {
            writer: Mutex::new(Some(writer)),
            reader,
            requests: Requests::default(),
            unread: watch::Sender::new(0),
        })
    }

    /// Waits until the number of unread answers is below the limit.
    async fn until_read(&self) {
        let mut unread = self.unread.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        let _ = unread.wait_for(|unread| *unread < UNREAD).await;
    }

    async fn write(&self, message: Option<Outgoing>) {
        if let Some(message) = message
            && let Err(error) = self.write_line(message).await
        {
            tracing::debug!("a message was not sent: {error}");
        }
    }

    async fn write_line(&self, mut message: Outgoing) -> Result<(), SendError> {
        message.text.push('\n');
        let mut writer = self.writer.lock().await;
        let writer = writer.as_mut().ok_or(SendError::Closed)?;
        let written = writer.write_all(message.text.as_bytes()).await;
        written.map_err(SendError::Write)?;
        writer.flush().await.map_err(SendError::Write)
    }
}

/// Counts a message as unread until it is written.
struct Counted<W>(Arc<Output<W>>);

impl<W> Counted<W> {
    fn new(output: Arc<Output<W>>) -> Self {
        output.unread.send_modify(|unread| *unread += 1);
        Counted(output)
    }
}

impl<W> Drop for Counted<W> {
    fn drop(&mut self) {
        self.0.unread.send_modify(|unread| *unread -= 1);
    }
}

impl<W: AsyncWrite + Unpin + Send + 'static> Outbox for Output<W> {
    fn send(
        self: Arc<Self>,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), SendError>> + Send + 'static {
        let counted = Counted::new(self);
        async move {
            let output = &counted.0;
            match output.requests.pass(message, &output.reader)? {
                Some(message) => output.write_line(message).await,
                None => Ok(()),
            }
        }
    }

    fn close(&self) {
        // While a message is being written the lock is held, so the writer is not removed before
        // that ends.
        if let Ok(mut writer) = self.writer.try_lock() {
            *writer = None;
        }
    }
}
