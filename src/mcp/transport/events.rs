//! Streams of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};

use super::outgoing::Outgoing;

/// Comments keep proxies from closing a quiet stream, and find dead clients.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A part of a stream, with what it takes up until it is sent.
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

    /// JSON has no line breaks outside its texts, and `serde_json` writes none
    /// between them.
    pub fn message(mut message: Outgoing) -> Self {
        let text = std::mem::take(&mut message.text);
        Event {
            _sent: Some(message),
            ..Event::named("message", &text)
        }
    }

    /// Part of a stream that something else wrote.
    pub fn raw(bytes: Bytes) -> Self {
        Event { bytes, _sent: None }
    }
}

/// The response whose body are these events, until the stream ends.
pub(super) fn response(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        // Otherwise nginx holds events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let mut ticks = tokio::time::interval(KEEP_ALIVE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let kept_alive = stream::unfold(
        (events.boxed(), ticks, None::<Event>),
        |(mut events, mut ticks, last)| async move {
            // The one before has been handed on whole when the next is asked for.
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
