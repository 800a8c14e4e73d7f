//! Requests are taken in one place, within limits: how many are worked on, how
//! large their bodies are and what they become in memory, how long these may
//! take to arrive, and how much of the answers may wait to be read.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::StreamExt;
use http_body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answers::{Answers, Reservation};
use super::auth::Auth;
use super::held::hold;
use super::limits::HttpLimits;
use super::places::{Owner, Place, Places};

/// Bodies up to this many bytes are as many as there are requests.
const SMALL: usize = 64 * 1024;

/// Seconds after which a client may try again.
const RETRY: &str = "1";

/// The places for requests, and the budgets of what they and their answers
/// take up in memory.
pub struct Intake {
    limits: HttpLimits,
    auth: Arc<Auth>,
    requests: Arc<Places>,
    downloads: Arc<Places>,
    memory: RequestMemory,
    answers: Answers,
}

/// A request's place among those worked on. It travels with the request, and
/// is given up with its last copy or when it is [released](InFlight::release).
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Mutex<Vec<Taken>>>);

/// What a request takes up; each is given back when it is dropped.
#[derive(Debug)]
enum Taken {
    Place { _place: Place },
    Memory { _memory: OwnedSemaphorePermit },
}

impl InFlight {
    /// Gives the place up, for a request that has become a stream.
    pub fn release(&self) {
        self.taken().clear();
    }

    fn add(&self, taken: Taken) {
        self.taken().push(taken);
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Vec<Taken>> {
        let InFlight(taken) = self;
        taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeRefusal {
    Overloaded,
    /// Larger than so many bytes.
    TooLarge(usize),
    TooManyValues,
    TooSlow,
    Broken,
}

impl Intake {
    pub(super) fn new(limits: HttpLimits, auth: Arc<Auth>) -> Self {
        Intake {
            auth,
            requests: Places::new(limits.requests),
            downloads: Places::new(limits.downloads),
            memory: RequestMemory::new(limits.request_memory),
            answers: Answers::new(limits.answer_memory),
            limits,
        }
    }

    /// The budget of answers that wait to be read.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// How many of `total` places `owner` may have.
    pub fn share(&self, owner: Owner, total: usize) -> usize {
        self.auth.share(owner, total)
    }

    /// A place for a request for what is shared. They never take all there are.
    ///
    /// # Errors
    ///
    /// [`IntakeRefusal::Overloaded`].
    pub fn download(&self, owner: Owner) -> Result<InFlight, IntakeRefusal> {
        let place = InFlight::default();
        for places in [&self.downloads, &self.requests] {
            place.add(self.place(places, owner)?);
        }
        Ok(place)
    }

    fn place(&self, places: &Arc<Places>, owner: Owner) -> Result<Taken, IntakeRefusal> {
        let share = self.share(owner, places.total());
        let place = places.take(owner, share);
        let _place = place.ok_or(IntakeRefusal::Overloaded)?;
        Ok(Taken::Place { _place })
    }

    async fn admit(&self, request: Request) -> Result<(Request, InFlight), IntakeRefusal> {
        let place = InFlight::default();
        let (mut parts, body) = request.into_parts();
        if let Some(owner) = parts.extensions.get::<Owner>() {
            place.add(self.place(&self.requests, *owner)?);
        }
        let announced = parts
            .headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let most = self.limits.body_bytes;
        if announced.is_some_and(|length| length > most) {
            return Err(IntakeRefusal::TooLarge(most));
        }
        let reading = self.read(body, &place);
        let body = tokio::time::timeout(self.limits.body_time, reading)
            .await
            .map_err(|_| IntakeRefusal::TooSlow)??;
        parts.extensions.insert(place.clone());
        Ok((Request::from_parts(parts, Body::from(body)), place))
    }

    async fn read(&self, body: Body, place: &InFlight) -> Result<Bytes, IntakeRefusal> {
        let mut chunks = body.into_data_stream();
        let mut taken = BytesMut::new();
        // Charged while it is read, by what it is at least.
        let mut charged = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| IntakeRefusal::Broken)?;
            if taken.len() + chunk.len() > self.limits.body_bytes {
                return Err(IntakeRefusal::TooLarge(self.limits.body_bytes));
            }
            taken.extend_from_slice(&chunk);
            if taken.len() > SMALL {
                let weight = weigh(&chunk);
                // The first chunks were not charged when they came.
                let weight = if charged == 0 { weigh(&taken) } else { weight };
                if charged + weight > self.limits.request_memory {
                    return Err(IntakeRefusal::TooManyValues);
                }
                charged += weight;
                let memory = self.memory.try_take(weight);
                place.add(memory.ok_or(IntakeRefusal::Overloaded)?);
            }
        }
        Ok(taken.freeze())
    }

    /// The response, which keeps its place until it is sent.
    async fn send(&self, mut response: Response, place: InFlight) -> Response {
        let reservation = match response.extensions_mut().remove::<Reservation>() {
            Some(reservation) => reservation,
            None => {
                let size = response.body().size_hint().exact().unwrap_or(0);
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                match self.answers.reserve(size).await {
                    Ok(reservation) => reservation,
                    Err(unread) => return unavailable(RETRY, &unread.to_string()),
                }
            }
        };
        hold(response, (place, reservation))
    }
}

/// A budget of memory for requests that are read, parsed and worked on.
#[derive(Clone, Debug)]
pub struct RequestMemory {
    units: Arc<Semaphore>,
    total: usize,
}

impl RequestMemory {
    const UNIT: usize = 1024;

    pub fn new(bytes: usize) -> Self {
        let units = (bytes / Self::UNIT).clamp(1, Semaphore::MAX_PERMITS);
        RequestMemory {
            units: Arc::new(Semaphore::new(units)),
            total: units,
        }
    }

    /// Waits until there is room for what this JSON becomes. One beyond the
    /// whole budget waits until it is alone.
    pub async fn take(&self, json: &[u8]) -> InFlight {
        let place = InFlight::default();
        if json.len() > SMALL {
            let units = weigh(json).div_ceil(Self::UNIT);
            let units = u32::try_from(units.min(self.total)).unwrap_or(u32::MAX);
            // The semaphore is never closed.
            if let Ok(_memory) = self.units.clone().acquire_many_owned(units).await {
                place.add(Taken::Memory { _memory });
            }
        }
        place
    }

    fn try_take(&self, bytes: usize) -> Option<Taken> {
        let units = u32::try_from(bytes.div_ceil(Self::UNIT)).ok()?;
        let _memory = self.units.clone().try_acquire_many_owned(units).ok()?;
        Some(Taken::Memory { _memory })
    }
}

/// The bytes that JSON becomes at most when it is parsed: each value is an
/// object of its own, and each follows one of these characters.
fn weigh(json: &[u8]) -> usize {
    /// A value in a list that has just grown, so that the old list is there too.
    const VALUE: usize = 128;
    let values = json.iter().filter(|byte| b",[{:".contains(byte)).count();
    json.len() + values * VALUE
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
        Ok((request, place)) => {
            let response = next.run(request).await;
            intake.send(response, place).await
        }
        Err(refusal) => {
            tracing::warn!(?refusal, "refused a request");
            refusal.into_response()
        }
    }
}

impl IntoResponse for IntakeRefusal {
    fn into_response(self) -> Response {
        let too_large = |text: String| (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
        match self {
            IntakeRefusal::Overloaded => {
                unavailable(RETRY, "too many requests are being worked on")
            }
            IntakeRefusal::TooLarge(most) => too_large(format!(
                "Payload Too Large: the message is larger than {most} bytes; `max_body` in \
                 section `[server]` of config.toml or `--max-body` sets the limit\n"
            )),
            IntakeRefusal::TooManyValues => too_large(
                "Payload Too Large: the message has more values than the server keeps in \
                 memory\n"
                    .into(),
            ),
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
