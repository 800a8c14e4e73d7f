//! Server-sent event streams.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};

use super::outgoing::Outgoing;

/// Interval of comments, which keep proxies from closing a quiet stream and detect
/// dead clients.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A part of a stream, and the memory reserved for it until it is sent.
pub(super) struct Event {
    bytes: Bytes,
    _sent: Option<Outgoing>,
}

impl Event {
    pub fn named(name: &str, data: &str) -> Self {
        let text = format!("event: {name}\ndata: {data}\n\n");
        Event {
            bytes: text.into(),
            _sent: None,
        }
    }

    /// A message as one `data:` line: `serde_json` writes no line breaks.
    pub fn message(mut message: Outgoing) -> Self {
        let text = std::mem::take(&mut message.text);
        Event {
            _sent: Some(message),
            ..Event::named("message", &text)
        }
    }

    /// A part of a stream that was encoded elsewhere.
    pub fn raw(bytes: Bytes) -> Self {
        Event { bytes, _sent: None }
    }
}

/// A response that streams these events as its body.
pub(super) fn response(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        // Otherwise nginx buffers events.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let mut ticks = tokio::time::interval(KEEP_ALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let kept_alive = stream::unfold(
        (events.boxed(), ticks, None::<Event>),
        |(mut events, mut ticks, last)| async move {
            // Asking for the next event means that the last one was handed on.
            drop(last);
            let event = next(&mut events, &mut ticks).await?;
            let bytes = event.bytes.clone();
            Some((Ok::<_, Infallible>(bytes), (events, ticks, Some(event))))
        },
    );
    (headers, Body::from_stream(kept_alive)).into_response()
}

async fn next(
    events: &mut (impl Stream<Item = Event> + Unpin),
    ticks: &mut Interval,
) -> Option<Event> {
    tokio::select! {
        biased;
        event = events.next() => {
            ticks.reset();
            event
        }
        _ = ticks.tick() => Some(Event::raw(Bytes::from_static(b":\n\n"))),
    }
}
