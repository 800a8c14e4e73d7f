//! One session: passes its messages to the service, and the answers back.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, GetMeta as _};
use tokio::sync::mpsc;

use crate::http::{Charged, InFlight};
use crate::runtime::Reader;

use super::super::accept::Accepted;
use super::super::channel::Revision;
use super::super::events::{self, Event};
use super::super::message::{Envelope, Unreadable, invalid};
use super::super::outgoing::{Outgoing, join, messages_of};
use super::super::routes::{Expected, Routes, Takes};
use super::super::sessions::Link;
use super::SOON;
use super::refusal::Refusal;

/// The handle to a session.
#[derive(Clone)]
pub(super) struct Session {
    pub to_server: mpsc::Sender<Box<ClientJsonRpcMessage>>,
    pub routes: Arc<Routes>,
    pub revision: Revision,
    /// The reader who is charged for its answers.
    pub reader: Reader,
}

impl Link for Session {
    fn is_active(&self) -> bool {
        self.routes.is_active()
    }
}

impl Session {
    /// Passes a message on, and returns the response to a request.
    pub async fn deliver(
        &self,
        mut message: ClientJsonRpcMessage,
        head: Parts,
        accepted: Accepted,
    ) -> Result<Response, Refusal> {
        let takes = match accepted {
            Accepted::Json => Takes::TheAnswer,
            Accepted::Events | Accepted::Either => Takes::AllOfIt,
        };
        let place = self.in_flight(&head);
        let messages = self.expect(&message, takes, place)?;
        message.insert_extension(head);
        self.pass(message).await?;
        match messages {
            Some(messages) => match respond(messages, accepted).await {
                Some(response) => Ok(response),
                None if self.routes.is_closed() => Err(Refusal::NoSuchSession),
                None => Ok(StatusCode::ACCEPTED.into_response()),
            },
            None => Ok(StatusCode::ACCEPTED.into_response()),
        }
    }

    pub async fn deliver_batch(
        &self,
        parts: Vec<Result<Envelope<'_>, Unreadable>>,
        head: Parts,
        accepted: Accepted,
    ) -> Result<Response, Refusal> {
        let (mut answers, mut waiting) = (Vec::new(), Vec::new());
        let place = self.in_flight(&head);
        for (number, part) in messages_of(parts).enumerate() {
            let mut message = match part {
                Ok(message) => message,
                Err(unreadable) => {
                    answers.push(Outgoing::unreadable(&unreadable));
                    continue;
                }
            };
            let place = place.part(number);
            match self.expect(&message, Takes::TheAnswer, place.clone()) {
                Ok(messages) => waiting.extend(messages),
                Err(Refusal::Unreadable(unreadable)) => {
                    answers.push(Outgoing::unreadable(&unreadable));
                    continue;
                }
                Err(refusal) => return Err(refusal),
            }
            let mut head = head.clone();
            head.extensions.insert(place);
            message.insert_extension(head);
            self.pass(message).await?;
        }
        let (to, messages) = mpsc::channel(1);
        if answers.is_empty() && waiting.is_empty() {
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        tokio::spawn(async move {
            for mut messages in waiting {
                answers.extend(messages.recv().await);
            }
            if let Some(joined) = join(answers) {
                // The client may be gone.
                let _ = to.send(joined).await;
            }
        });
        let response = respond(messages, accepted).await;
        Ok(response.unwrap_or_else(|| StatusCode::ACCEPTED.into_response()))
    }

    /// Registers a request, and returns its messages; `None` for other messages.
    fn expect(
        &self,
        message: &ClientJsonRpcMessage,
        takes: Takes,
        place: InFlight,
    ) -> Result<Option<mpsc::Receiver<Outgoing>>, Refusal> {
        match message {
            ClientJsonRpcMessage::Request(request) => {
                let expected = Expected {
                    progress: request.request.get_meta().get_progress_token(),
                    takes,
                    place: Some(place),
                };
                let messages = self.routes.expect(request.id.clone(), expected);
                let taken = || invalid(Some(request.id.clone()), "another request has this id");
                messages.ok_or_else(|| taken().into()).map(Some)
            }
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.routes.forget(id);
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The slot of a request, whose answer this session reads.
    fn in_flight(&self, head: &Parts) -> InFlight {
        let place = head.extensions.get::<InFlight>().cloned();
        let place = place.unwrap_or_default();
        place.read_by(self.reader.clone());
        place
    }

    async fn pass(&self, message: ClientJsonRpcMessage) -> Result<(), Refusal> {
        let passed = self.to_server.send(Box::new(message)).await;
        passed.map_err(|_| Refusal::NoSuchSession)
    }
}

/// Returns the answer as JSON if it is the first message, comes soon, and the client accepts JSON;
/// otherwise a stream of all messages. `None` when no answer comes, because the request was
/// cancelled or the session has ended.
async fn respond(mut messages: mpsc::Receiver<Outgoing>, accepted: Accepted) -> Option<Response> {
    let first = match accepted {
        Accepted::Json => Ok(messages.recv().await),
        Accepted::Events | Accepted::Either => tokio::time::timeout(SOON, messages.recv()).await,
    };
    let first = match first {
        Ok(None) => return None,
        Ok(Some(answer)) if answer.is_answer && accepted != Accepted::Events => {
            return Some(json(answer));
        }
        Ok(first) => first,
        Err(_) => None,
    };
    let rest = stream::unfold(messages, |mut messages| async move {
        let message = messages.recv().await?;
        Some((message, messages))
    });
    let messages = stream::iter(first).chain(rest);
    Some(events::response(messages.map(Event::message)))
}

fn json(answer: Outgoing) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (headers, answer.text).into_response();
    response.extensions_mut().insert(Charged);
    response
}
