//! Downloads that resume after connection failures.

use std::io;
use std::path::Path;

use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::destination::Destination;
use super::error::ErrorKind;
use super::outcome::Blob;
use super::progress::Progress;
use super::queue::{self, Piece, Queue};
use super::sink::{self, StagedFile, Stopped};
use super::unpack::Unpack;
use crate::digest::{Expected, Mismatch};
use crate::net::{
    Client, Error, Meter, Response, Resume, Retry, RetryBudget, RetryMode, validator,
};

/// Progress after which all retries are available again: this many bytes, or
/// `1/STRIDES` of the total if that is less.
const STRIDE: u64 = 1024 * 1024;
const STRIDES: u64 = 20;

/// What a download reads from.
pub(super) trait Source: Sync {
    /// Requests the content, or the rest of it with `resume`. Returns a 200, or
    /// with `resume` also a 206 or 416; any other status is an error.
    fn open(
        &self,
        resume: Option<&Resume>,
    ) -> impl Future<Output = Result<Response, ErrorKind>> + Send;
}

/// The parameters of one download.
#[derive(Clone)]
pub(super) struct Download<'a> {
    /// Name for messages, such as ``layer 0 (`application/wasm`)``.
    pub what: &'a str,
    pub destination: Destination,
    /// Digest and size of the bytes as transferred.
    pub expected: Expected,
    /// How to unpack the bytes, if they are packed.
    pub unpack: Option<Unpack>,
    /// Directory for the partial file of an interrupted download. Not used when
    /// unpacking.
    pub parts: Option<&'a Path>,
    pub retry: RetryMode,
    pub http: &'a Client,
    pub meter: &'a Meter,
    pub progress: &'a dyn Progress,
}

/// Whether range requests may be used to resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ranges {
    Useful,
    /// The source does not support them, or sent parts that do not fit
    /// together.
    Useless,
}

/// Downloads to disk and returns the response headers. After a connection
/// failure it reconnects and resumes if the source supports that; the digest of
/// the whole is checked at the end.
pub(super) async fn download(
    source: &impl Source,
    download: Download<'_>,
) -> Result<(Blob, HeaderMap), ErrorKind> {
    let deadline = Instant::now() + download.http.options().transfer_timeout;
    let (resumed, first) = pass(source, download.clone(), (Ranges::Useful, deadline)).await;
    match first {
        // The parts may come from different versions of the content, so
        // download it once more without resuming.
        Err(
            ErrorKind::Mismatch {
                mismatch: Mismatch::Digest { .. },
                ..
            }
            // Unpacking fails before the digest is checked.
            | ErrorKind::Unpack(_),
        ) if resumed > 0 => {
            tracing::info!("the parts do not belong together: downloading anew");
            pass(source, download, (Ranges::Useless, deadline)).await.1
        }
        first => first,
    }
}

/// Downloads one file, and returns how many of its bytes came from resuming. A
/// separate thread hashes and writes; a short queue connects it to the network.
async fn pass(
    source: &impl Source,
    download: Download<'_>,
    (ranges, deadline): (Ranges, Instant),
) -> (u64, Result<(Blob, HeaderMap), ErrorKind>) {
    let (queue, pieces) = queue::queue();
    let (done, writer) = match writer(&download, pieces).await {
        Ok(writer) => writer,
        Err(error) => return (0, Err(ErrorKind::disk(error))),
    };
    let mut transfer = Receiver {
        download: &download,
        ranges,
        done,
        best: done,
        total: download.expected.size,
        resumed: 0,
        validator: None,
        headers: HeaderMap::new(),
        encoded: None,
        host: String::new(),
    };
    let received = match timeout_at(deadline, transfer.receive(source, queue)).await {
        Ok(received) => received,
        Err(_) => Err(ErrorKind::Net(Error::Slow {
            host: std::mem::take(&mut transfer.host),
        })),
    };
    let written = match writer.await {
        Ok(written) => written,
        Err(error) => return (0, Err(ErrorKind::disk(io::Error::other(error)))),
    };
    let result = match (written, received) {
        // The writer only stopped because the receiver failed.
        (_, Err(failure)) => Err(failure),
        (Ok(blob), Ok(())) => Ok((blob, transfer.headers)),
        (Err(stopped), Ok(())) => Err(transfer
            .encoded
            .take()
            // If the server compressed the body, that is why the bytes differ.
            .filter(|_| !matches!(stopped, Stopped::Disk(_)))
            .map_or_else(
                || ErrorKind::stopped(stopped, download.what),
                ErrorKind::Net,
            )),
    };
    (transfer.resumed, result)
}

/// Starts the writer thread, and returns the length of the partial file that is
/// resumed.
async fn writer(
    download: &Download<'_>,
    pieces: mpsc::Receiver<Piece>,
) -> io::Result<(u64, JoinHandle<Result<Blob, Stopped>>)> {
    let (destination, expected) = (&download.destination, download.expected);
    if let Some(unpack) = download.unpack {
        let work = move |path: &Path| sink::unpack_pieces(path, (expected, unpack), pieces);
        return Ok((0, destination.write(work)));
    }
    let parts = download.parts.map(Path::to_owned);
    let open = move |path: &Path| match parts {
        Some(parts) => StagedFile::reopen(path, expected, &parts),
        None => StagedFile::create(path, expected),
    };
    let file = destination.write(open).await.map_err(io::Error::other)??;
    let done = file.length();
    if done > 0 {
        tracing::info!(done, "the download of an earlier run goes on");
    }
    let work = move |_: &Path| sink::write_pieces(file, pieces);
    Ok((done, destination.write(work)))
}

/// The receiving side of a download.
struct Receiver<'a> {
    download: &'a Download<'a>,
    ranges: Ranges,
    /// Bytes of the file so far, including a partial file of an earlier run.
    done: u64,
    /// `done` when the retries were last restored.
    best: u64,
    total: Option<u64>,
    resumed: u64,
    validator: Option<HeaderValue>,
    /// Headers of the response with which the file began.
    headers: HeaderMap,
    /// The error to report if that response was compressed.
    encoded: Option<Error>,
    host: String,
}

/// How one response ended.
enum Ended {
    Whole,
    Broken(Error),
    /// The writer stopped. Joining it gives the reason.
    Unwanted,
}

impl Receiver<'_> {
    async fn receive(&mut self, source: &impl Source, queue: Queue) -> Result<(), ErrorKind> {
        let Download {
            http, meter, retry, ..
        } = self.download;
        let mut budget = http.retry_budget(meter, *retry);
        loop {
            let resume = self.resume();
            let response = source.open(resume.as_ref()).await?;
            self.host = response.host();
            match &resume {
                Some(resume) if resume.is_answered_by(&response) => self.begun_by(&response),
                Some(_) if response.status() != StatusCode::OK => {
                    self.ranges = Ranges::Useless;
                    let error = Error::range(response.url());
                    drop(response);
                    self.pause(error, &mut budget).await?;
                    continue;
                }
                // The whole content, although perhaps only the rest was
                // requested.
                _ => {
                    self.check_length(&response)?;
                    if !self.begin(&response, &queue).await {
                        return Ok(());
                    }
                }
            }
            match self.body(response, &queue).await {
                Ended::Whole => {
                    // If the writer stopped, joining it gives the reason.
                    let _ = queue.end().await;
                    return Ok(());
                }
                Ended::Unwanted => return Ok(()),
                Ended::Broken(error) => self.retry_or_fail(error, &mut budget).await?,
            }
        }
    }

    /// The state to resume from. Resuming needs an entity tag or a digest, to
    /// detect that the content has changed.
    fn resume(&self) -> Option<Resume> {
        let sure = self.validator.is_some() || self.download.expected.digest.is_some();
        (self.done > 0 && sure && self.ranges == Ranges::Useful).then(|| Resume {
            from: self.done,
            validator: self.validator.clone(),
            total: self.total,
        })
    }

    /// Rejects a `Content-Length` above the limit before reading the body.
    fn check_length(&self, response: &Response) -> Result<(), ErrorKind> {
        let limit = self.download.expected.limit;
        match response.content_length() {
            Some(length) if length > limit => Err(ErrorKind::too_large(self.download.what, limit)),
            _ => Ok(()),
        }
    }

    /// A file resumed from an earlier run has no headers yet, so take those of
    /// this response.
    fn begun_by(&mut self, response: &Response) {
        if self.headers.is_empty() {
            self.headers = response.headers().clone();
            self.validator = validator(response.headers());
        }
    }

    /// Starts the file anew with this response. Returns `false` if the writer
    /// has stopped.
    async fn begin(&mut self, response: &Response, queue: &Queue) -> bool {
        if self.done > 0 && queue.restart().await.is_err() {
            return false;
        }
        self.done = 0;
        self.resumed = 0;
        self.headers = response.headers().clone();
        self.encoded = response.encoded();
        self.validator = validator(response.headers());
        self.total = self.download.expected.size.or(response.content_length());
        true
    }

    async fn body(&mut self, response: Response, queue: &Queue) -> Ended {
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        let url = response.url().clone();
        let framed = response.is_framed();
        let mut body = response.body(self.download.meter);
        loop {
            match body.next().await {
                Ok(Some(chunk)) => {
                    let length = chunk.len() as u64;
                    self.done += length;
                    if partial {
                        self.resumed += length;
                        self.download.meter.count_resumed(length);
                    }
                    if queue.data(chunk).await.is_err() {
                        return Ended::Unwanted;
                    }
                    self.download.progress.bytes(self.done, self.total);
                }
                // Without framing, a connection that closes early looks like
                // the end of the body, and a 206 may contain only part of the
                // rest. So compare the length.
                Ok(None) if self.is_short() && (partial || !framed) => {
                    return Ended::Broken(Error::cut(&url));
                }
                Ok(None) => return Ended::Whole,
                Err(_) if self.total == Some(self.done) => return Ended::Whole,
                Err(error) => return Ended::Broken(error),
            }
        }
    }

    fn is_short(&self) -> bool {
        self.total.is_some_and(|total| self.done < total)
    }

    /// Pauses before the next attempt, or fails if no retries are left.
    /// Sufficient progress restores all retries.
    async fn retry_or_fail(
        &mut self,
        error: Error,
        budget: &mut RetryBudget<'_>,
    ) -> Result<(), Error> {
        let gained = self.done.saturating_sub(self.best);
        let stride = self
            .total
            .map_or(STRIDE, |total| STRIDE.min(total / STRIDES));
        if gained > 0 && gained >= stride {
            self.best = self.done;
            budget.restore();
        }
        self.pause(error, budget).await
    }

    /// Pauses before the next attempt, or fails if no retries are left.
    async fn pause(&self, error: Error, budget: &mut RetryBudget<'_>) -> Result<(), Error> {
        if budget.is_spent() {
            return Err(error);
        }
        tracing::info!(host = self.host, %error, done = self.done, "the download broke off");
        let retry = Retry {
            host: &self.host,
            reason: &error.chain(),
            after: None,
        };
        budget.pause(retry).await;
        Ok(())
    }
}
