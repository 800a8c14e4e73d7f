//! Sends one request and receives its response.
//!
//! Uses HTTP/1.1 and a new connection for each request, so that everything a guest
//! leaves behind ends with the connection, and no response can reach another guest.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use tokio::time::{Sleep, sleep, timeout};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error as HttpError, RequestOptions, WasiBody};

use super::connector::Stream;
use super::destination::Destination;
use super::limits;

/// The task of the connection; dropping it closes the connection.
pub(super) type Running = Box<dyn Future<Output = Result<(), HttpError>> + Send>;

/// Timeouts for a server: those that the guest requests, within the host's limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

impl From<Option<RequestOptions>> for Patience {
    fn from(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        let within = |wanted: Option<Duration>, most: Duration| wanted.unwrap_or(most).min(most);
        Patience {
            connect: within(options.connect_timeout, limits::CONNECT),
            first_byte: within(options.first_byte_timeout, limits::SILENCE),
            between_bytes: within(options.between_bytes_timeout, limits::SILENCE),
        }
    }
}

/// Rewrites a guest's request so that it can only go to `destination`.
pub(super) fn prepare(
    request: &mut Request<WasiBody>,
    destination: &Destination,
) -> Result<(), HttpError> {
    if request.method() == Method::CONNECT {
        // A tunnel would reach hosts that were not checked.
        return Err(HttpError::HttpRequestMethodInvalid);
    }
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str()).to_owned();
    let path = match path.starts_with('?') {
        true => format!("/{path}"),
        false => path,
    };
    *request.uri_mut() = Uri::try_from(path).map_err(|_| HttpError::HttpRequestUriInvalid)?;
    let headers = request.headers_mut();
    for name in &DEFAULT_FORBIDDEN_HEADERS {
        headers.remove(name);
    }
    let host = HeaderValue::try_from(destination.authority());
    headers.insert(HOST, host.map_err(|_| HttpError::HttpRequestUriInvalid)?);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(())
}

/// Sends the request and waits for the head of the response. `held` is dropped when
/// the connection has ended.
pub(super) async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<WasiBody>,
    patience: Patience,
    held: impl Send + 'static,
) -> Result<(Response<WasiBody>, Running), HttpError> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::BUFFER);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| explain(&error))?;
    // Dropping the handle, with the response or before, stops the task.
    let running = spawn(async move {
        let _held = held;
        if let Err(error) = connection.await {
            tracing::debug!("a guest's connection ended: {error}");
        }
    });
    let response = timeout(patience.first_byte, sender.send_request(request)).await;
    let response = response
        .map_err(|_| HttpError::ConnectionReadTimeout)?
        .map_err(|error| explain(&error))?;
    let response = response.map(|body| {
        Received {
            body,
            limit: patience.between_bytes,
            waiting: None,
        }
        .boxed_unsync()
    });
    // The guest sees a broken connection as an error of the body, not a second time
    // here.
    let running = async move {
        running.await;
        Ok(())
    };
    Ok((response, Box::new(running)))
}

/// The body of a response, with a limit on how long the server may be silent.
struct Received {
    body: Incoming,
    limit: Duration,
    /// Runs while the reader waits for data.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| explain(&error))));
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Some(Err(HttpError::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn explain(error: &hyper::Error) -> HttpError {
    tracing::debug!("a guest's exchange failed: {error}");
    if error.is_parse_too_large() {
        HttpError::HttpResponseHeaderSectionSize(u32::try_from(limits::BUFFER).ok())
    } else if error.is_incomplete_message() {
        HttpError::HttpResponseIncomplete
    } else if error.is_parse() || error.is_user() {
        HttpError::HttpProtocolError
    } else {
        HttpError::ConnectionTerminated
    }
}
