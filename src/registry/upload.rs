//! Uploads of blobs.
//!
//! A blob that exists is not sent again, and one in another repository of the
//! registry is mounted. Other blobs are sent in one request. If that is
//! interrupted, the registry is asked how much it has, and the rest is sent. An
//! upload succeeds only if the registry then confirms that it has the blob.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::auth::Answer;
use super::scope::Actions;
use super::writer::Writer;
use super::{Error, Item};
use crate::digest::Digest;
use crate::net::{Access, Payload, Request, Response, Retry, RetryMode};

/// Error text if the registry returns no valid upload URL.
const NO_PLACE: &str = "it gave no address for the upload";

/// A blob to upload. Digest and size are those of the content.
#[derive(Debug, Clone)]
pub struct BlobUpload {
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    pub content: BlobContent,
}

/// The content of a blob to upload.
#[derive(Debug, Clone)]
pub enum BlobContent {
    Bytes(Bytes),
    /// A file, streamed.
    File(PathBuf),
}

/// How a blob got into the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// It existed before.
    Present,
    /// It was mounted from another repository of the registry.
    Mounted,
    Sent,
}

impl BlobUpload {
    pub fn of_bytes(bytes: Bytes) -> Self {
        BlobUpload {
            digest: Digest::of(&bytes),
            size: bytes.len() as u64,
            content: BlobContent::Bytes(bytes),
        }
    }

    /// The content from offset `from`.
    fn payload(&self, from: u64) -> Payload {
        let media_type = HeaderValue::from_static("application/octet-stream");
        match &self.content {
            BlobContent::Bytes(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                let bytes = bytes.slice(from..);
                Payload::Bytes { bytes, media_type }
            }
            BlobContent::File(path) => Payload::File {
                path: path.clone(),
                from,
                length: self.size - from,
            },
        }
    }
}

/// An upload session of the registry.
struct Session {
    /// The URL for the next request.
    location: Url,
    /// Bytes that the registry has received.
    done: u64,
}

impl Writer<'_> {
    /// Whether the repository has a blob.
    ///
    /// # Errors
    ///
    /// If the request fails or the registry refuses it.
    pub async fn has_blob(&self, digest: Digest) -> Result<bool, Error> {
        let path = Item::Blob(&digest.to_string()).path();
        let answer = self.write(Method::HEAD, &path, Actions::Push, None).await?;
        match answer.response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(answer.refused("to look for a blob").await),
        }
    }

    /// Uploads a blob unless it exists. `mount_from` is another repository of
    /// the registry that may have it.
    ///
    /// # Errors
    ///
    /// If the registry refuses the blob or does not have it afterwards, or if
    /// the connection still breaks after all retries.
    pub async fn put_blob(
        &self,
        blob: &BlobUpload,
        mount_from: Option<&str>,
    ) -> Result<Uploaded, Error> {
        if self.has_blob(blob.digest).await? {
            return Ok(Uploaded::Present);
        }
        let uploaded = match self.begin(blob, mount_from).await? {
            None => Uploaded::Mounted,
            Some(session) => {
                self.send(blob, session).await?;
                Uploaded::Sent
            }
        };
        match self.has_blob(blob.digest).await? {
            true => Ok(uploaded),
            false => Err(Error::Forgotten {
                host: self.host().to_owned(),
                digest: blob.digest,
            }),
        }
    }

    /// Starts an upload session; `None` if the blob was mounted instead.
    async fn begin(
        &self,
        blob: &BlobUpload,
        mount_from: Option<&str>,
    ) -> Result<Option<Session>, Error> {
        let mut url = self.endpoint().at("blobs/uploads/");
        if let Some(from) = mount_from {
            url.query_pairs_mut()
                .append_pair("mount", &blob.digest.to_string())
                .append_pair("from", from);
        }
        let request = |authorization| Request {
            authorization,
            access: self.endpoint().access().clone(),
            ..Request::new(Method::POST, url.clone())
        };
        let remote = self.remote();
        let answer = remote
            .client
            .auth
            .send(remote, Actions::Push, request)
            .await?;
        match answer.response.status() {
            StatusCode::CREATED if mount_from.is_some() => Ok(None),
            StatusCode::ACCEPTED => Ok(Some(Session {
                location: self.location(&answer.response)?,
                done: 0,
            })),
            _ => Err(answer.refused("the upload").await),
        }
    }

    /// Sends a blob in one request, and resumes after an interruption.
    async fn send(&self, blob: &BlobUpload, mut session: Session) -> Result<(), Error> {
        let remote = self.remote();
        let (http, meter) = (&remote.client.http, &remote.transfer.meter);
        let mut budget = http.retry_budget(meter, RetryMode::Repeat);
        loop {
            let result = match session.done {
                0 => self.finish(blob, &session, Some(blob.payload(0))).await,
                _ => self.send_rest(blob, &mut session).await,
            };
            let error = match result {
                Ok(()) => return Ok(()),
                Err(error) if is_broken(&error) => error,
                Err(error) => return Err(error),
            };
            if budget.is_spent() {
                return Err(error);
            }
            let reason = error.net().map(crate::net::Error::chain);
            let retry = Retry {
                host: self.host(),
                reason: reason.as_deref().unwrap_or("the upload broke off"),
                after: None,
            };
            budget.pause(retry).await;
            // The registry may have stored the blob although its response was
            // lost.
            if self.has_blob(blob.digest).await.unwrap_or(false) {
                return Ok(());
            }
            session = match self.status(blob, &session).await {
                Some(session) => session,
                None => match self.begin(blob, None).await {
                    Ok(Some(session)) => session,
                    // The next attempt reports the error.
                    Ok(None) | Err(_) => session,
                },
            };
        }
    }

    /// Sends the missing bytes and completes the upload.
    async fn send_rest(&self, blob: &BlobUpload, session: &mut Session) -> Result<(), Error> {
        if session.done < blob.size {
            let mut headers = HeaderMap::new();
            let range = format!("{}-{}", session.done, blob.size - 1);
            if let Ok(range) = HeaderValue::try_from(range) {
                headers.insert(header::CONTENT_RANGE, range);
            }
            let upload = Upload {
                method: Method::PATCH,
                url: session.location.clone(),
                headers,
                payload: Some(blob.payload(session.done)),
            };
            let answer = self.at_location(upload).await?;
            if !answer.response.status().is_success() {
                return Err(answer.refused("the upload").await);
            }
            session.location = self.location(&answer.response)?;
            session.done = blob.size;
        }
        self.finish(blob, session, None).await
    }

    /// Completes an upload, with `payload` as the remaining bytes.
    async fn finish(
        &self,
        blob: &BlobUpload,
        session: &Session,
        payload: Option<Payload>,
    ) -> Result<(), Error> {
        let mut url = session.location.clone();
        url.query_pairs_mut()
            .append_pair("digest", &blob.digest.to_string());
        let upload = Upload {
            method: Method::PUT,
            url,
            headers: HeaderMap::new(),
            payload,
        };
        let answer = self.at_location(upload).await?;
        match answer.response.status().is_success() {
            true => Ok(()),
            false => Err(answer.refused("the blob").await),
        }
    }

    /// Asks the registry how much it has received; `None` if it has lost the
    /// session.
    async fn status(&self, blob: &BlobUpload, session: &Session) -> Option<Session> {
        let upload = Upload {
            method: Method::GET,
            url: session.location.clone(),
            headers: HeaderMap::new(),
            payload: None,
        };
        let answer = self.at_location(upload).await.ok()?;
        if !answer.response.status().is_success() {
            return None;
        }
        // The range is `0-N` with N inclusive. An empty upload is `0-0` too,
        // like one of one byte, so both start over.
        let range = answer.response.header(header::RANGE)?;
        let (_, last) = range.trim_start_matches("bytes=").split_once('-')?;
        let last: u64 = last.trim().parse().ok()?;
        let done = last.checked_add(1)?;
        (done > 1 && done <= blob.size).then(|| Session {
            location: self
                .location(&answer.response)
                .unwrap_or_else(|_| session.location.clone()),
            done,
        })
    }

    /// The checked `Location` of a response.
    fn location(&self, response: &Response) -> Result<Url, Error> {
        let refused = |reason| Error::Refusal {
            host: self.host().to_owned(),
            reason,
        };
        let text = response.header(header::LOCATION);
        let joined = text.and_then(|text| response.url().join(text).ok());
        let mut url = joined.ok_or_else(|| refused(NO_PLACE))?;
        // `reqwest` would send user name and password as an Authorization
        // header.
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        if cleared.is_err() || url.host_str().is_none() {
            return Err(refused(NO_PLACE));
        }
        let http = &self.remote().client.http;
        http.check_lead(response.url(), &url)
            .map_err(|_| refused("the address that it gave for the upload is not allowed"))?;
        Ok(url)
    }

    /// Sends one request of an upload. Credentials and certificates are used
    /// only if the URL is on the registry itself.
    async fn at_location(&self, upload: Upload) -> Result<Answer, Error> {
        let remote = self.remote();
        let own = self.endpoint().owns(&upload.url);
        let request = |authorization| Request {
            authorization,
            access: match own {
                true => self.endpoint().access().clone(),
                false => Access::default(),
            },
            // `send` asks the registry for its state before it sends anything
            // again.
            retry: RetryMode::Once,
            headers: upload.headers.clone(),
            payload: upload.payload.clone(),
            ..Request::new(upload.method.clone(), upload.url.clone())
        };
        match own {
            true => {
                remote
                    .client
                    .auth
                    .send(remote, Actions::Push, request)
                    .await
            }
            false => Ok(Answer::of_stranger(remote.send(request(None)).await?)),
        }
    }
}

/// A request of an upload.
struct Upload {
    method: Method,
    url: Url,
    headers: HeaderMap,
    payload: Option<Payload>,
}

/// Whether the upload may succeed when resumed.
fn is_broken(error: &Error) -> bool {
    use crate::net::Error as Net;
    match error.net() {
        Some(Net::Refused { status, .. }) => {
            status.is_server_error()
                || *status == StatusCode::RANGE_NOT_SATISFIABLE
                || *status == StatusCode::TOO_MANY_REQUESTS
                || *status == StatusCode::REQUEST_TIMEOUT
        }
        Some(error) => error.is_of_connection() || error.is_of_body(),
        None => false,
    }
}
