//! Writes to a registry: pushes manifests and tags, and deletes manifests.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::auth::Answer;
use super::documents::{DIGEST_HEADER, MANIFEST};
use super::endpoint::Endpoint;
use super::scope::Actions;
use super::{Client, Document, Error, Item, Remote, Transfer};
use crate::digest::Digest;
use crate::net::{Payload, Request, RetryMode};
use crate::reference::OciReference;

/// The header by which a registry confirms that it lists a manifest among the
/// referrers of its subject.
const SUBJECT_HEADER: &str = "oci-subject";

/// A repository to write to, at the registry itself. Mirrors are never written
/// to.
pub struct Writer<'a> {
    client: &'a Client,
    transfer: &'a Transfer,
    endpoint: Endpoint,
}

impl Client {
    /// A writer for the repository of a reference.
    ///
    /// # Errors
    ///
    /// If a `hosts.toml` cannot be read.
    pub fn writer<'a>(
        &'a self,
        reference: &OciReference,
        transfer: &'a Transfer,
    ) -> Result<Writer<'a>, Error> {
        Ok(Writer {
            client: self,
            transfer,
            endpoint: Endpoint::upstream(reference, self)?,
        })
    }
}

impl Writer<'_> {
    pub(super) fn remote(&self) -> Remote<'_> {
        Remote {
            client: self.client,
            transfer: self.transfer,
            endpoint: &self.endpoint,
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The host (`host[:port]`) that is written to.
    pub fn host(&self) -> &str {
        self.endpoint.authority()
    }

    /// The document with this tag or digest; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the request fails or the registry refuses it.
    pub async fn document(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.remote().tagged(name).await
    }

    /// Stores an OCI manifest or image index under a tag, or under its digest
    /// if there is none. Its blobs must have been uploaded before. The bytes
    /// are stored unchanged. A manifest with a subject is then listed among the
    /// referrers: by the registry, or else by this client under the fallback
    /// tag of the subject.
    ///
    /// # Errors
    ///
    /// If the document is invalid, or the registry refuses it or stores it
    /// under another digest.
    pub async fn put_manifest(&self, bytes: &Bytes, tag: Option<&str>) -> Result<Digest, Error> {
        let document = Document::parse(bytes)?;
        let digest = Digest::of(bytes);
        let name = tag.map_or_else(|| digest.to_string(), str::to_owned);
        let listed = self
            .put_document(bytes, document.media_type(), &name)
            .await?;
        if let Some(subject) = document.subject()
            && listed != Some(subject)
        {
            let referrer = document.as_referrer(digest, bytes.len() as u64);
            self.add_to_fallback(subject, referrer).await?;
        }
        Ok(digest)
    }

    /// Stores a document, and returns the subject for which the registry lists
    /// it as a referrer.
    pub(super) async fn put_document(
        &self,
        bytes: &Bytes,
        media_type: &str,
        name: &str,
    ) -> Result<Option<Digest>, Error> {
        let media_type = HeaderValue::try_from(media_type).map_err(|_| Error::Refusal {
            host: self.host().to_owned(),
            reason: "the media type fits in no header",
        })?;
        let payload = Payload::Bytes {
            bytes: bytes.clone(),
            media_type,
        };
        let item = Item::Manifest(name);
        let answer = self
            .write(Method::PUT, &item.path(), Actions::Push, Some(payload))
            .await?;
        if !answer.response.status().is_success() {
            return Err(answer.refused(MANIFEST).await);
        }
        let response = answer.response;
        let stored = response.header(DIGEST_HEADER);
        match stored.map(str::parse::<Digest>) {
            Some(Ok(stored)) if stored != Digest::of(bytes) => Err(Error::Refusal {
                host: self.host().to_owned(),
                reason: "it stored the OCI manifest under another digest",
            }),
            _ => Ok(response
                .header(SUBJECT_HEADER)
                .and_then(|text| text.parse().ok())),
        }
    }

    /// Deletes a manifest and its tags. It is no error if the manifest does not
    /// exist.
    ///
    /// # Errors
    ///
    /// If the registry refuses it; many do not support deletion.
    pub async fn delete_manifest(&self, digest: Digest) -> Result<(), Error> {
        let path = Item::Manifest(&digest.to_string()).path();
        let answer = self
            .write(Method::DELETE, &path, Actions::Delete, None)
            .await?;
        match answer.response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => Ok(()),
            _ => Err(answer.refused("to delete the OCI manifest").await),
        }
    }

    /// Sends one request, with a small body or none.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        actions: Actions,
        payload: Option<Payload>,
    ) -> Result<Answer, Error> {
        let request = |authorization| Request {
            authorization,
            accept: None,
            access: self.endpoint.access().clone(),
            retry: RetryMode::Repeat,
            headers: HeaderMap::new(),
            payload: payload.clone(),
            ..Request::new(method.clone(), self.endpoint.at(path))
        };
        let auth = &self.client.auth;
        auth.send(self.remote(), actions, request).await
    }
}
