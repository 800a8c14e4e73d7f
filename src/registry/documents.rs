//! Resolves tags, and reads manifests and indexes by digest.

use bytes::Bytes;
use http::{Method, StatusCode, header};

use super::auth::Answer;
use super::{Document, Error, Item, Remote, check};
use crate::digest::{Digest, Expected};
use crate::net::{Request, Response, RetryMode};

/// The limit that registries have, too.
pub(crate) const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
pub(super) const DIGEST_HEADER: &str = "docker-content-digest";
/// The name of a manifest in messages.
pub(crate) const MANIFEST: &str = "the OCI manifest";

impl Remote<'_> {
    /// The document of a tag; `None` if the tag does not exist.
    pub async fn tagged(&self, tag: &str) -> Result<Option<Bytes>, Error> {
        let ask = || async {
            let answer = self.read(Method::GET, Item::Manifest(tag), None).await?;
            match answer.response.status() {
                StatusCode::OK => Ok(Some(self.read_document(answer.response).await?)),
                StatusCode::NOT_FOUND => Ok(None),
                _ => Err(answer.refused(MANIFEST).await),
            }
        };
        self.whole(ask).await
    }

    /// The digest that the host gives for a tag, and the document if it had to be fetched to find
    /// the digest.
    pub async fn look_up(&self, tag: &str) -> Result<(Digest, Option<Bytes>), Error> {
        let head = self.read(Method::HEAD, Item::Manifest(tag), None).await?;
        let bytes = match head.response.status() {
            StatusCode::OK => match named_digest(&head.response) {
                Some(digest) => return Ok((digest, None)),
                None => self.get_document(tag).await?,
            },
            // Some registries and proxies do not support HEAD.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                self.get_document(tag).await?
            }
            _ => self.after_refusal(tag, head).await?,
        };
        // Reject pages that a proxy serves for every URL.
        Document::parse(&bytes)?;
        Ok((Digest::of(&bytes), Some(bytes)))
    }

    /// Repeats a refused HEAD as a GET: only its response has the registry's
    /// message, and it may even succeed.
    async fn after_refusal(&self, tag: &str, head: Answer) -> Result<Bytes, Error> {
        let again = match self.endpoint.is_heard_out() {
            true => self.get_once_more(tag, &head).await.ok(),
            false => None,
        };
        let refusal = match again {
            Some(again) if again.response.status() == StatusCode::OK => {
                return self.read_document(again.response).await;
            }
            Some(again) if again.response.status() == head.response.status() => again,
            _ => head,
        };
        Err(refusal.refused(MANIFEST).await)
    }

    /// Sends a GET with the authorization of the earlier request, whose
    /// challenge has been answered.
    async fn get_once_more(&self, tag: &str, earlier: &Answer) -> Result<Answer, Error> {
        let item = Item::Manifest(tag);
        let request = |authorization| Request {
            authorization,
            accept: item.accept(),
            access: self.endpoint.access().clone(),
            retry: RetryMode::Once,
            ..Request::new(Method::GET, self.endpoint.url(item))
        };
        self.client.auth.repeat(*self, request, earlier).await
    }

    /// Reads a document by digest and checks it.
    pub async fn document(&self, digest: Digest, expected: Expected) -> Result<Bytes, Error> {
        let bytes = self.get_document(&digest.to_string()).await?;
        check(&bytes, expected, MANIFEST)?;
        Ok(bytes)
    }

    async fn get_document(&self, name: &str) -> Result<Bytes, Error> {
        self.whole(|| self.get_document_once(name)).await
    }

    async fn get_document_once(&self, name: &str) -> Result<Bytes, Error> {
        let answer = self.read(Method::GET, Item::Manifest(name), None).await?;
        match answer.response.status() {
            StatusCode::OK => self.read_document(answer.response).await,
            _ => Err(answer.refused(MANIFEST).await),
        }
    }

    async fn read_document(&self, response: Response) -> Result<Bytes, Error> {
        let encoded = response.encoded();
        let served_as = response.headers().get(header::CONTENT_TYPE).cloned();
        let meter = &self.transfer.meter;
        let bytes = response.bytes(MAX_MANIFEST_BYTES, MANIFEST, meter).await?;
        if let (Some(error), Err(_)) = (encoded, Document::parse(&bytes)) {
            return Err(error.into());
        }
        // A document that does not parse is rejected by the caller, after its
        // digest is checked.
        if let (Some(kind), Ok(document)) = (&served_as, Document::parse(&bytes)) {
            document.served_as(kind.to_str().unwrap_or_default())?;
        }
        Ok(bytes)
    }
}

/// The digest in the `docker-content-digest` header.
fn named_digest(response: &Response) -> Option<Digest> {
    response.header(DIGEST_HEADER)?.parse().ok()
}
