//! Routes the messages of a streamable HTTP session to the request that they answer or belong to,
//! otherwise to a stream that the client keeps open.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    GetExtensions as _, ProgressToken, RequestId, ServerJsonRpcMessage, ServerNotification,
};
use rmcp::service::OriginatingRequestId;
use tokio::sync::mpsc;

use crate::http::InFlight;
use crate::runtime::Reader;

use super::channel::Outbox;
use super::outgoing::{Outgoing, SendError, answered};

/// Most waiting messages per stream.
const QUEUE: usize = 16;
/// Most messages that are kept until the client opens a stream.
const UNHEARD: usize = 64;
/// Most streams that a client may keep open for messages that belong to no request.
const STREAMS: usize = 4;

pub(super) struct Routes {
    reader: Reader,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    waiting: HashMap<RequestId, Waiting>,
    /// The latest stream is last.
    streams: VecDeque<mpsc::Sender<Outgoing>>,
    unheard: VecDeque<Outgoing>,
    is_closed: bool,
}

struct Waiting {
    to: mpsc::Sender<Outgoing>,
    expected: Expected,
}

/// A request whose answer is expected.
pub(super) struct Expected {
    pub progress: Option<ProgressToken>,
    pub takes: Takes,
    pub place: Option<InFlight>,
}

/// The messages that a request's response can carry in addition to the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// None, because it is one JSON document.
    TheAnswer,
    /// All that belong to the request.
    AllOfIt,
}

impl Routes {
    pub fn new(reader: Reader) -> Arc<Self> {
        Arc::new(Routes {
            reader,
            table: Mutex::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No statement leaves the maps half-changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request, and returns its messages up to the answer; `None` when the session has
    /// ended, or another request with this id is being answered.
    pub fn expect(&self, id: RequestId, expected: Expected) -> Option<mpsc::Receiver<Outgoing>> {
        let mut table = self.table();
        if table.is_closed || table.waiting.contains_key(&id) {
            return None;
        }
        let (to, messages) = mpsc::channel(QUEUE);
        table.waiting.insert(id, Waiting { to, expected });
        Some(messages)
    }

    /// Drops a request that was cancelled and will get no answer.
    pub fn forget(&self, id: &RequestId) {
        self.table().waiting.remove(id);
    }

    /// Opens a stream for messages that belong to no request, and returns the messages that came
    /// while there was none. Several may be open: the latest gets the messages.
    pub fn listen(&self) -> (VecDeque<Outgoing>, mpsc::Receiver<Outgoing>) {
        let mut table = self.table();
        let (to, messages) = mpsc::channel(QUEUE);
        if !table.is_closed {
            table.streams.retain(|stream| !stream.is_closed());
            if table.streams.len() == STREAMS {
                table.streams.pop_front();
            }
            table.streams.push_back(to);
        }
        (std::mem::take(&mut table.unheard), messages)
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.table().is_closed
    }

    pub fn is_active(&self) -> bool {
        let table = self.table();
        !table.waiting.is_empty() || table.streams.iter().any(|stream| !stream.is_closed())
    }

    /// The route of a message: to the response of the request that it belongs to, or else to a
    /// stream. An answer is the last message of its request, and is dropped if that is gone.
    fn way_of(&self, message: &ServerJsonRpcMessage) -> Way {
        let mut table = self.table();
        let of = |found: Option<&Waiting>| match found {
            Some(waiting) if waiting.expected.takes == Takes::AllOfIt => {
                Way::Request(waiting.to.clone(), None)
            }
            _ => Way::Stream,
        };
        match message {
            ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_) => {
                match answered(message).map(|id| table.waiting.remove(id)) {
                    Some(Some(waiting)) => Way::Request(waiting.to, waiting.expected.place),
                    Some(None) => Way::Nowhere,
                    None => Way::Stream,
                }
            }
            ServerJsonRpcMessage::Request(request) => {
                let origin = request.request.extensions().get::<OriginatingRequestId>();
                of(origin.and_then(|origin| table.waiting.get(&origin.0)))
            }
            ServerJsonRpcMessage::Notification(notification) => {
                let ServerNotification::ProgressNotification(progress) = &notification.notification
                else {
                    return Way::Stream;
                };
                let token = Some(&progress.params.progress_token);
                let mut waiting = table.waiting.values();
                of(waiting.find(|waiting| waiting.expected.progress.as_ref() == token))
            }
        }
    }

    fn stream(&self) -> Option<mpsc::Sender<Outgoing>> {
        let table = self.table();
        let mut open = table.streams.iter().rev();
        open.find(|stream| !stream.is_closed()).cloned()
    }
}

enum Way {
    /// The request's resources are for the answer.
    Request(mpsc::Sender<Outgoing>, Option<InFlight>),
    Stream,
    /// The client has cancelled the request.
    Nowhere,
}

impl Outbox for Routes {
    async fn send(self: Arc<Self>, message: ServerJsonRpcMessage) -> Result<(), SendError> {
        let way = self.way_of(&message);
        if matches!(&way, Way::Request(to, _) if to.is_closed() && !is_request(&message)) {
            return Ok(());
        }
        let mut message = match way {
            Way::Nowhere => return Ok(()),
            Way::Request(to, place) => {
                let message = Outgoing::of(message, place, &self.reader)?;
                match to.send(message).await {
                    Ok(()) => return Ok(()),
                    Err(unsent) if unsent.0.answers.is_some() => return Ok(()),
                    // The request is gone, but a stream may still be open.
                    Err(unsent) => unsent.0,
                }
            }
            Way::Stream => Outgoing::of(message, None, &self.reader)?,
        };
        while let Some(stream) = self.stream() {
            match stream.send(message).await {
                Ok(()) => return Ok(()),
                Err(unsent) => message = unsent.0,
            }
        }
        let mut table = self.table();
        if table.unheard.len() == UNHEARD {
            table.unheard.pop_front();
        }
        table.unheard.push_back(message);
        Ok(())
    }

    fn close(&self) {
        let mut table = self.table();
        *table = Table {
            is_closed: true,
            ..Table::default()
        };
    }
}

fn is_request(message: &ServerJsonRpcMessage) -> bool {
    matches!(message, ServerJsonRpcMessage::Request(_))
}
