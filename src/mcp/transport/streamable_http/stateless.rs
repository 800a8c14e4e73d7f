//! Requests of protocol revision 2026-07-28, which has no sessions: `rmcp`'s own
//! service answers them.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::http::{Charged, InFlight};

use super::super::accept::Accepted;
use super::super::caller::Caller;
use super::super::events::{self, Event};
use super::{Endpoint, SOON, credential, media_type};

impl Endpoint {
    /// Answers a request of a revision without sessions.
    pub(super) async fn stateless(
        &self,
        mut head: Parts,
        body: Bytes,
        accepted: Accepted,
    ) -> Response {
        // `rmcp` requires both; its answer is converted to the accepted one.
        let both = HeaderValue::from_static("application/json, text/event-stream");
        head.headers.insert(header::ACCEPT, both);
        let caller = Caller::over_http("streamable-http", None, credential(&head));
        head.extensions.insert(caller);
        let place = head.extensions.get::<InFlight>().cloned();
        let request = Request::from_parts(head, Body::from(body));
        let service = self.stateless.clone();
        let mut answering: BoxFuture<'static, Response> = Box::pin(async move {
            let response = service.handle(request).await.map(Body::new);
            charged(response, place.as_ref())
        });
        let answer = match accepted {
            Accepted::Json => return answering.await,
            Accepted::Events | Accepted::Either => {
                tokio::time::timeout(SOON, answering.as_mut()).await
            }
        };
        match answer {
            Ok(answer) if accepted == Accepted::Either || !answer.status().is_success() => answer,
            Ok(answer) => events::response(as_events(answer).await),
            Err(_) => events::response(stream::once(answering).then(as_events).flatten()),
        }
    }
}

/// The response, charging its request for its actual size instead of the size of its source.
fn charged(mut response: Response, place: Option<&InFlight>) -> Response {
    let size = response.body().size_hint().exact();
    let size = size.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    if let (Some(size), Some(place)) = (size, place)
        && place.answer(size).is_ok()
    {
        response.extensions_mut().insert(Charged);
    }
    response
}

/// The events of an answer: those of its stream, or one event with its JSON.
async fn as_events(answer: Response) -> stream::BoxStream<'static, Event> {
    let is_stream = media_type(answer.headers()).is_some_and(|kind| kind == "text/event-stream");
    let body = answer.into_body();
    if is_stream {
        let chunks = body.into_data_stream();
        return chunks
            .take_while(|chunk| std::future::ready(chunk.is_ok()))
            .filter_map(|chunk| std::future::ready(chunk.ok().map(Event::raw)))
            .boxed();
    }
    let text = match body.collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(_) => return stream::empty().boxed(),
    };
    stream::once(async move { Event::named("message", &text) }).boxed()
}
