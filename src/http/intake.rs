//! Takes in requests within limits: how many are worked on, how large their bodies
//! are and how much memory their JSON takes, how long they may take to arrive, and
//! how many bytes of answers may be unread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::StreamExt;
use http_body::Body as _;
use tokio::sync::Semaphore;

use super::auth::Auth;
use super::held::hold;
use super::in_flight::{InFlight, Taken};
use super::limits::HttpLimits;
use super::places::{Owner, Places};
use crate::runtime::{Answers, NoRoom, Reader, TotalMemory};

/// Bodies up to this many bytes are not counted: the limit on requests bounds them.
const SMALL: usize = 4 * 1024;

/// The most bytes of a refused body that are read and dropped.
const DROPPED: usize = 64 * 1024 * 1024;

/// Part number of the response itself; the messages of a batch have the other numbers.
const THE_RESPONSE: usize = usize::MAX;

/// Seconds after which a client may retry.
const RETRY: &str = "1";

/// The slots for requests, and the memory budgets for requests and their answers.
pub struct Intake {
    limits: HttpLimits,
    auth: Arc<Auth>,
    requests: Arc<Places>,
    downloads: Arc<Places>,
    memory: RequestMemory,
    answers: Arc<Answers>,
    /// The owners of requests or sessions, and perhaps some former ones.
    readers: Mutex<HashMap<Owner, Reader>>,
}

/// Marks a response whose size was already charged to its request.
#[derive(Clone, Copy)]
pub struct Charged;

/// The reason why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeRefusal {
    Overloaded,
    /// The body is larger than this many bytes.
    TooLarge(usize),
    TooManyValues,
    TooSlow,
    Broken,
}

impl Intake {
    pub(super) fn new(limits: HttpLimits, auth: Arc<Auth>, total: &Arc<TotalMemory>) -> Self {
        Intake {
            auth,
            requests: Places::new(limits.requests),
            downloads: Places::new(limits.downloads),
            memory: RequestMemory::new(limits.request_memory, total),
            answers: Answers::new(total, limits.answer_memory as u64),
            readers: Mutex::default(),
            limits,
        }
    }

    /// The reader who is charged for this owner's answers.
    pub fn reader(&self, owner: Owner) -> Reader {
        // No statement leaves the map half-changed.
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = readers.get(&owner) {
            return reader.clone();
        }
        readers.retain(|_, reader| !reader.is_unused());
        let reader = self.answers.reader();
        readers.insert(owner, reader.clone());
        reader
    }

    /// How many of `total` slots `owner` may have.
    pub fn share(&self, owner: Owner, total: usize) -> usize {
        self.auth.share(owner, total)
    }

    /// A slot for a download of shared content. Downloads never take all slots for requests.
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

    async fn admit(
        &self,
        parts: &Parts,
        body: &mut BodyDataStream,
    ) -> Result<(Bytes, InFlight), IntakeRefusal> {
        let place = InFlight::default();
        if let Some(owner) = parts.extensions.get::<Owner>() {
            place.add(self.place(&self.requests, *owner)?);
            place.read_by(self.reader(*owner));
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
        Ok((body, place))
    }

    /// Reads the rest of a refused body while the answer is sent. Most clients read the
    /// answer only after they have written everything: without this they see a broken
    /// connection. One that expects `100 Continue` sends nothing.
    fn drop_rest(&self, parts: &Parts, mut body: BodyDataStream) {
        if parts.headers.contains_key(header::EXPECT) {
            return;
        }
        let rest = async move {
            let mut dropped = 0;
            while let Some(Ok(chunk)) = body.next().await {
                dropped += chunk.len();
                if dropped > DROPPED {
                    return;
                }
            }
        };
        // It ends with the connection, too.
        tokio::spawn(tokio::time::timeout(self.limits.refused_body_time, rest));
    }

    async fn read(
        &self,
        chunks: &mut BodyDataStream,
        place: &InFlight,
    ) -> Result<Bytes, IntakeRefusal> {
        let mut taken = BytesMut::new();
        // Charged while reading, by a lower bound of the memory it takes.
        let mut charged = 0;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| IntakeRefusal::Broken)?;
            if taken.len() + chunk.len() > self.limits.body_bytes {
                return Err(IntakeRefusal::TooLarge(self.limits.body_bytes));
            }
            taken.extend_from_slice(&chunk);
            if taken.len() > SMALL {
                let weight = weigh(&chunk);
                // The first chunks were not charged, because the body still counted
                // as small.
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
}

/// The response, which keeps its request's slot until it is sent.
fn send(mut response: Response, place: InFlight) -> Response {
    let is_charged = response.extensions_mut().remove::<Charged>().is_some();
    // A stream is charged for each message.
    let size = response.body().size_hint().exact().filter(|_| !is_charged);
    if let Some(size) = size
        && place
            .part(THE_RESPONSE)
            .answer(usize::try_from(size).unwrap_or(usize::MAX))
            .is_err()
    {
        return IntakeRefusal::Overloaded.into_response();
    }
    hold(response, place)
}

/// A memory budget for requests that are being read, parsed and worked on.
#[derive(Clone, Debug)]
pub struct RequestMemory {
    units: Arc<Semaphore>,
    most: usize,
    total: Arc<TotalMemory>,
}

impl RequestMemory {
    const UNIT: usize = 1024;

    /// A budget of `bytes`, which is part of the total budget.
    pub fn new(bytes: usize, total: &Arc<TotalMemory>) -> Self {
        let units = (bytes / Self::UNIT).clamp(1, Semaphore::MAX_PERMITS);
        RequestMemory {
            units: Arc::new(Semaphore::new(units)),
            most: units,
            total: Arc::clone(total),
        }
    }

    /// Waits until there is room for the parsed form of this JSON, and charges it to the request.
    /// A request larger than the whole budget waits until it is alone.
    ///
    /// # Errors
    ///
    /// [`NoRoom::Total`], when the total budget is used up.
    pub async fn take(&self, json: &[u8], place: &InFlight) -> Result<(), NoRoom> {
        if json.len() > SMALL {
            let bytes = weigh(json);
            let units = bytes.div_ceil(Self::UNIT).min(self.most);
            let units = u32::try_from(units).unwrap_or(u32::MAX);
            // The semaphore is never closed.
            if let Ok(_permit) = self.units.clone().acquire_many_owned(units).await {
                let mut _memory = self.total.share();
                _memory.take(bytes as u64).map_err(NoRoom::Total)?;
                place.add(Taken::Memory { _permit, _memory });
            }
        }
        Ok(())
    }

    fn try_take(&self, bytes: usize) -> Option<Taken> {
        let units = u32::try_from(bytes.div_ceil(Self::UNIT)).ok()?;
        let _permit = self.units.clone().try_acquire_many_owned(units).ok()?;
        let mut _memory = self.total.share();
        _memory.take(bytes as u64).ok()?;
        Some(Taken::Memory { _permit, _memory })
    }
}

/// An upper bound of the memory for the parsed form of this JSON, in bytes. All values but
/// the first follow a comma, a bracket or a colon, and so do the names of members.
fn weigh(json: &[u8]) -> usize {
    /// Bytes per value, in a list that has just grown while its old copy still
    /// exists.
    const VALUE: usize = 128;
    /// Bytes of an object that has members, besides: it has room for three from the
    /// first on, and a table of their places.
    const OBJECT: usize = 300;
    let has_members = |brace: &usize| {
        let mut rest = json[brace + 1..].iter();
        rest.find(|byte| !byte.is_ascii_whitespace()) != Some(&b'}')
    };
    let values = memchr::memchr3_iter(b',', b'[', b':', json).count();
    let objects = memchr::memchr_iter(b'{', json).filter(has_members).count();
    json.len() + values * VALUE + objects * OBJECT
}

/// Middleware: reads the whole body of each POST request, or refuses it.
pub(super) async fn take(
    State(intake): State<Arc<Intake>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let mut body = body.into_data_stream();
    match intake.admit(&parts, &mut body).await {
        Ok((body, place)) => {
            parts.extensions.insert(place.clone());
            let request = Request::from_parts(parts, Body::from(body));
            let response = next.run(request).await;
            send(response, place)
        }
        Err(refusal) => {
            tracing::warn!(?refusal, "refused a request");
            if !matches!(refusal, IntakeRefusal::TooSlow | IntakeRefusal::Broken) {
                intake.drop_rest(&parts, body);
            }
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

/// A 503 response that says after how many seconds to retry.
pub fn unavailable(retry: &'static str, reason: &str) -> Response {
    let headers: [(HeaderName, &str); 1] = [(header::RETRY_AFTER, retry)];
    let text = format!("Service Unavailable: {reason}\n");
    (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_weigh_more_when_they_have_members() {
        let weight = |json: &str| weigh(json.as_bytes()) - json.len();
        assert_eq!(weight("7"), 0);
        assert_eq!(weight("[{},{ },\n{\t}]"), 3 * 128);
        assert_eq!(weight(r#"[{"a":0}]"#), 2 * 128 + 300);
        assert_eq!(weight(r#"{"a":0,"b":{"c":[]}}"#), 5 * 128 + 2 * 300);
        // What stands behind is not read yet.
        assert_eq!(weight("{"), 300);
    }
}
