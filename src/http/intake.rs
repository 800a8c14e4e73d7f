//! Requests are taken in one place, within limits: how many are worked on, how
//! large their bodies are, and how long these may take to arrive.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::HttpLimits;

/// Bodies up to this many bytes are as many as there are requests.
const SMALL: usize = 64 * 1024;

/// Seconds after which a client may try again.
const RETRY: &str = "1";

/// The places for requests, and the limits of their bodies.
pub struct Intake {
    limits: HttpLimits,
    requests: Arc<Semaphore>,
    large: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

/// A request's place among those worked on. It travels with the request, and
/// is given up with its last copy or when it is [released](InFlight::release).
#[derive(Clone, Debug)]
pub struct InFlight(Arc<Mutex<Vec<OwnedSemaphorePermit>>>);

impl InFlight {
    /// Gives the place up, for a request that has become a stream.
    pub fn release(&self) {
        let InFlight(permits) = self;
        permits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Why a request was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeRefusal {
    Overloaded,
    TooLarge,
    TooSlow,
    Broken,
}

impl Intake {
    pub(super) fn new(limits: HttpLimits) -> Self {
        Intake {
            requests: Arc::new(Semaphore::new(limits.requests)),
            large: Arc::new(Semaphore::new(limits.large_requests)),
            downloads: Arc::new(Semaphore::new(limits.downloads)),
            limits,
        }
    }

    /// A place for a request for what is shared. They never take all there are.
    ///
    /// # Errors
    ///
    /// [`IntakeRefusal::Overloaded`].
    pub fn download(&self) -> Result<InFlight, IntakeRefusal> {
        let permits = vec![place(&self.downloads)?, place(&self.requests)?];
        Ok(InFlight(Arc::new(Mutex::new(permits))))
    }

    async fn admit(&self, request: Request) -> Result<Request, IntakeRefusal> {
        let mut permits = vec![place(&self.requests)?];
        let (mut parts, body) = request.into_parts();
        let announced = parts
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.limits.body_bytes) {
            return Err(IntakeRefusal::TooLarge);
        }
        let reading = self.read(body, &mut permits);
        let body = tokio::time::timeout(self.limits.body_time, reading)
            .await
            .map_err(|_| IntakeRefusal::TooSlow)??;
        let place = InFlight(Arc::new(Mutex::new(permits)));
        parts.extensions.insert(place);
        Ok(Request::from_parts(parts, Body::from(body)))
    }

    async fn read(
        &self,
        body: Body,
        permits: &mut Vec<OwnedSemaphorePermit>,
    ) -> Result<Bytes, IntakeRefusal> {
        let mut chunks = body.into_data_stream();
        let mut taken = BytesMut::new();
        let mut is_large = false;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| IntakeRefusal::Broken)?;
            let length = taken.len() + chunk.len();
            if length > self.limits.body_bytes {
                return Err(IntakeRefusal::TooLarge);
            }
            if length > SMALL && !is_large {
                is_large = true;
                permits.push(place(&self.large)?);
            }
            taken.extend_from_slice(&chunk);
        }
        Ok(taken.freeze())
    }
}

fn place(among: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, IntakeRefusal> {
    among
        .clone()
        .try_acquire_owned()
        .map_err(|_| IntakeRefusal::Overloaded)
}

/// Middleware: takes the whole of each posted request, or answers why not.
pub(super) async fn take(
    State(intake): State<Arc<Intake>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    match intake.admit(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => {
            tracing::warn!(?refusal, "refused a request");
            refusal.into_response()
        }
    }
}

impl IntoResponse for IntakeRefusal {
    fn into_response(self) -> Response {
        match self {
            IntakeRefusal::Overloaded => {
                unavailable(RETRY, "too many requests are being worked on")
            }
            IntakeRefusal::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Payload Too Large: the message is larger than this server takes\n",
            )
                .into_response(),
            IntakeRefusal::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "Request Timeout: the message took too long to arrive\n",
            )
                .into_response(),
            IntakeRefusal::Broken => (
                StatusCode::BAD_REQUEST,
                "Bad Request: the message did not arrive whole\n",
            )
                .into_response(),
        }
    }
}

/// 503, with the seconds after which it may be otherwise.
pub fn unavailable(retry: &'static str, reason: &str) -> Response {
    let headers: [(HeaderName, &str); 1] = [(header::RETRY_AFTER, retry)];
    let text = format!("Service Unavailable: {reason}\n");
    (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
}
