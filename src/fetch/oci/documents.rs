//! Manifests and indexes: looked up by tag, read by digest.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use reqwest::Response;

use super::endpoint::Endpoint;
use super::manifest::{Document, Manifest};
use super::{InvalidManifest, Registry, expectation, kept};
use crate::digest::{Digest, Expected, Verifier};
use crate::fetch::error::{Failed, Failure};
use crate::fetch::http::{HttpError, read_bounded};
use crate::fetch::outcome::KeptBlob;

/// What registries themselves allow at most.
pub(super) const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
const DIGEST_HEADER: &str = "docker-content-digest";
pub(super) const MANIFEST: &str = "the OCI manifest";

impl Registry<'_> {
    /// The manifest of the artifact, chosen from the index if there is one,
    /// and the bytes of both.
    pub(super) async fn manifest(
        &self,
        endpoints: &[Endpoint],
        digest: Digest,
        known: Option<Bytes>,
    ) -> Result<(Digest, Manifest, Vec<KeptBlob>), Failed> {
        let expected = Expected {
            digest: Some(digest),
            ..Expected::default()
        };
        let bytes = match known {
            Some(bytes) => bytes,
            None => {
                self.first(endpoints, |endpoint| {
                    self.document(endpoint, digest, expected)
                })
                .await?
            }
        };
        let document = Document::parse(&bytes)?;
        let first = kept::document(digest, &bytes, &document);
        let index = match document {
            Document::Manifest(manifest) => return Ok((digest, manifest, vec![first])),
            Document::Index(index) => index,
        };
        let chosen = index.select()?;
        let bytes = self
            .first(endpoints, |endpoint| {
                self.document(endpoint, chosen.digest, expectation(chosen))
            })
            .await?;
        let document = Document::parse(&bytes)?;
        let second = kept::document(chosen.digest, &bytes, &document);
        match document {
            Document::Manifest(manifest) => Ok((chosen.digest, manifest, vec![first, second])),
            Document::Index(_) => Err(InvalidManifest::Nested.into()),
        }
    }

    /// What a host says a tag stands for: the digest, and the document where
    /// the digest could not be had without it.
    pub(super) async fn look_up(
        &self,
        endpoint: &Endpoint,
        tag: &str,
    ) -> Result<(Digest, Option<Bytes>), Failure> {
        let head = self
            .request(Method::HEAD, endpoint, ("manifests", tag), None)
            .await?;
        let bytes = match head.status() {
            StatusCode::OK => match named_digest(&head) {
                Some(digest) => return Ok((digest, None)),
                None => self.get_document(endpoint, tag).await?,
            },
            // Some registries and proxies know no HEAD.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                self.get_document(endpoint, tag).await?
            }
            _ => self.after_refusal(endpoint, tag, head).await?,
        };
        // A page that is served for every address is no answer.
        Document::parse(&bytes)?;
        Ok((Digest::of(&bytes), Some(bytes)))
    }

    /// The document itself, whose HEAD was refused. Only the answer to a GET
    /// has the registry's words in it; and it may be another one.
    async fn after_refusal(
        &self,
        endpoint: &Endpoint,
        tag: &str,
        head: Response,
    ) -> Result<Bytes, Failure> {
        let again = match endpoint.is_heard_out() {
            true => self.repeat(Method::GET, endpoint, tag, &head).await.ok(),
            false => None,
        };
        let refusal = match again {
            Some(answer) if answer.status() == StatusCode::OK => {
                return self.read_document(answer).await;
            }
            Some(answer) if answer.status() == head.status() => answer,
            _ => head,
        };
        Err(HttpError::refused(refusal, MANIFEST).await.into())
    }

    /// The document of a digest.
    async fn document(
        &self,
        endpoint: &Endpoint,
        digest: Digest,
        expected: Expected,
    ) -> Result<Bytes, Failure> {
        let bytes = self.get_document(endpoint, &digest.to_string()).await?;
        check(&bytes, expected, MANIFEST)?;
        Ok(bytes)
    }

    async fn get_document(&self, endpoint: &Endpoint, name: &str) -> Result<Bytes, Failure> {
        self.whole(endpoint, || self.get_document_once(endpoint, name))
            .await
    }

    async fn get_document_once(&self, endpoint: &Endpoint, name: &str) -> Result<Bytes, Failure> {
        let response = self
            .request(Method::GET, endpoint, ("manifests", name), None)
            .await?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::refused(response, MANIFEST).await.into());
        }
        self.read_document(response).await
    }

    async fn read_document(&self, response: Response) -> Result<Bytes, Failure> {
        let served_as = response.headers().get(header::CONTENT_TYPE).cloned();
        let bytes = read_bounded(response, MAX_MANIFEST_BYTES, MANIFEST, self.meter).await?;
        // One that does not parse is refused where it is used, after its digest is checked.
        if let (Some(kind), Ok(document)) = (&served_as, Document::parse(&bytes)) {
            document.served_as(kind.to_str().unwrap_or_default())?;
        }
        Ok(bytes)
    }
}

/// The digest of its body that a response names.
fn named_digest(response: &Response) -> Option<Digest> {
    let digest = response.headers().get(DIGEST_HEADER)?;
    digest.to_str().ok()?.parse().ok()
}

pub(super) fn check(bytes: &[u8], expected: Expected, what: &str) -> Result<(), Failure> {
    let mut verifier = Verifier::new(expected);
    verifier
        .update(bytes)
        .and_then(|()| verifier.finish())
        .map(drop)
        .map_err(|mismatch| Failure::mismatch(what, mismatch))
}
