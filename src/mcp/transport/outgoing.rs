//! Messages that are being sent to clients.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorCode, ErrorData, RequestId, ServerJsonRpcMessage,
};
use serde_json::json;

use crate::http::InFlight;
use crate::runtime::{Kept, NoRoom, Reader};

use super::message::{Envelope, Unreadable, invalid};

/// The JSON-RPC code for implementation-defined errors.
const SERVER_ERROR: ErrorCode = ErrorCode(-32000);

/// A message as JSON, with the memory and slots reserved until it is sent.
pub(super) struct Outgoing {
    pub text: String,
    /// Whether it is an answer; the answer to an unreadable message has no id.
    pub is_answer: bool,
    /// The id of the request that it answers.
    pub answers: Option<RequestId>,
    /// Its memory, unless it is charged to its request.
    pub _kept: Option<Kept>,
    /// The slots of the requests that it answers.
    pub places: Vec<InFlight>,
}

/// The reason why the message was not sent; no further message can be sent either.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("the connection to the client is closed")]
    Closed,
    #[error("failed to write to the client")]
    Write(#[source] std::io::Error),
    #[error("the message does not serialise")]
    Serialise(#[source] serde_json::Error),
}

impl Outgoing {
    /// Encodes the message, and charges it to the request that it answers, or else to its reader.
    /// If there is no memory for it, it is replaced by an error.
    pub fn of(
        message: ServerJsonRpcMessage,
        place: Option<InFlight>,
        reader: &Reader,
    ) -> Result<Self, SendError> {
        let answers = answered(&message).cloned();
        let is_answer = matches!(
            &message,
            ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)
        );
        let text = serde_json::to_string(&message).map_err(SendError::Serialise)?;
        // While it waits for memory, only its text is kept.
        drop(message);
        let charged = match &place {
            Some(place) => place.answer(text.len()).map(|()| None),
            None => reader.keep(text.len() as u64).map(Some),
        };
        match charged {
            Ok(_kept) => Ok(Outgoing {
                text,
                is_answer,
                answers,
                _kept,
                places: place.into_iter().collect(),
            }),
            Err(no_room) => {
                tracing::warn!("dropped a message of {} bytes: {no_room}", text.len());
                Ok(Outgoing::unreadable(&refusal(answers, no_room)))
            }
        }
    }

    /// The answer to an unreadable message.
    pub fn unreadable(unreadable: &Unreadable) -> Self {
        Outgoing {
            text: unreadable.encode(),
            is_answer: true,
            answers: unreadable.id.clone(),
            _kept: None,
            places: Vec::new(),
        }
    }
}

/// The request that a message answers.
pub(super) fn answered(message: &ServerJsonRpcMessage) -> Option<&RequestId> {
    match message {
        ServerJsonRpcMessage::Response(response) => Some(&response.id),
        ServerJsonRpcMessage::Error(error) => error.id.as_ref(),
        _ => None,
    }
}

/// The error for a request whose answer does not fit in memory.
pub(in crate::mcp) fn refusal(id: Option<RequestId>, no_room: NoRoom) -> Unreadable {
    let data = json!({ "code": no_room.code() });
    Unreadable {
        id,
        error: ErrorData::new(SERVER_ERROR, no_room.to_string(), Some(data)),
    }
}

/// The open requests of a client whose answers share one connection: their slots, and their
/// batches.
#[derive(Default)]
pub(super) struct Requests(Mutex<Open>);

#[derive(Default)]
struct Open {
    places: HashMap<RequestId, InFlight>,
    batches: Vec<Batch>,
}

#[derive(Default)]
struct Batch {
    missing: Vec<RequestId>,
    answers: Vec<Outgoing>,
}

impl Requests {
    fn open(&self) -> MutexGuard<'_, Open> {
        // No statement leaves the state half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a message of the client; must be called before it is passed on.
    /// Returns the answers of a batch that a cancellation completes.
    pub fn note(&self, message: &ClientJsonRpcMessage, place: InFlight) -> Option<Outgoing> {
        let mut open = self.open();
        match message {
            ClientJsonRpcMessage::Request(request) => {
                open.places.insert(request.id.clone(), place);
                None
            }
            // A cancelled request gets no answer.
            ClientJsonRpcMessage::Notification(notification) => {
                let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                else {
                    return None;
                };
                let id = cancelled.params.request_id.as_ref()?;
                open.places.remove(id);
                open.complete(id, None)
            }
            _ => None,
        }
    }

    /// Records a batch. Returns the messages to pass on, and the answer to the batch
    /// if it is complete already, as it contains no valid request.
    pub fn begin_batch(
        &self,
        parts: Vec<Result<Envelope<'_>, Unreadable>>,
    ) -> (Vec<ClientJsonRpcMessage>, Option<Outgoing>) {
        let mut batch = Batch::default();
        let mut messages = Vec::new();
        for part in messages_of(parts) {
            match part {
                Ok(message) => {
                    if let ClientJsonRpcMessage::Request(request) = &message {
                        batch.missing.push(request.id.clone());
                    }
                    messages.push(message);
                }
                Err(unreadable) => batch.answers.push(Outgoing::unreadable(&unreadable)),
            }
        }
        if batch.missing.is_empty() {
            return (messages, join(batch.answers));
        }
        self.open().batches.push(batch);
        (messages, None)
    }

    /// The message to send, with the slot of the request that it answers; `None` when it is part
    /// of an incomplete batch.
    pub fn pass(
        &self,
        message: ServerJsonRpcMessage,
        reader: &Reader,
    ) -> Result<Option<Outgoing>, SendError> {
        let place = answered(&message).and_then(|id| self.open().places.remove(id));
        let message = Outgoing::of(message, place, reader)?;
        Ok(self.in_batch(message))
    }

    fn in_batch(&self, message: Outgoing) -> Option<Outgoing> {
        let mut open = self.open();
        let Some(id) = message.answers.clone() else {
            return Some(message);
        };
        if !open.batches.iter().any(|batch| batch.missing.contains(&id)) {
            return Some(message);
        }
        open.complete(&id, Some(message))
    }
}

impl Open {
    fn complete(&mut self, id: &RequestId, answer: Option<Outgoing>) -> Option<Outgoing> {
        let mut batches = self.batches.iter();
        let index = batches.position(|batch| batch.missing.contains(id))?;
        let batch = &mut self.batches[index];
        batch.missing.retain(|missing| missing != id);
        batch.answers.extend(answer);
        match batch.missing.is_empty() {
            true => join(self.batches.swap_remove(index).answers),
            false => None,
        }
    }
}

/// The messages of a batch. Of requests with one id, only the first can be answered by
/// its id; the others are refused.
pub(super) fn messages_of(
    parts: Vec<Result<Envelope<'_>, Unreadable>>,
) -> impl Iterator<Item = Result<ClientJsonRpcMessage, Unreadable>> {
    let mut ids = HashSet::new();
    parts.into_iter().map(move |part| {
        let message = part.and_then(Envelope::message)?;
        match &message {
            ClientJsonRpcMessage::Request(request) if !ids.insert(request.id.clone()) => {
                let reason = "another request of the batch has the same id";
                Err(invalid(Some(request.id.clone()), reason))
            }
            _ => Ok(message),
        }
    })
}

/// The answers to a batch as one message; `None` if there are none.
pub(super) fn join(answers: Vec<Outgoing>) -> Option<Outgoing> {
    let mut answers = answers.into_iter();
    let mut joined = answers.next()?;
    joined.text.insert(0, '[');
    for answer in answers {
        joined.text.push(',');
        joined.text.push_str(&answer.text);
        joined.places.extend(answer.places);
    }
    joined.text.push(']');
    Some(joined)
}
