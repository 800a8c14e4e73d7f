//! Small documents, such as catalogs: a file, what is at a web address, or the
//! one layer of an artifact.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::content::Content;
use super::error::{ErrorKind, Failed, FetchError};
use super::layout::Layout;
use super::remote::Artifacts;
use super::{Fetcher, Identity};
use crate::digest::{Digest, Expected};
use crate::file::{Links, read_regular};
use crate::net::{Request, RetryMode};
use crate::reference::Reference;
use crate::registry::{Capability, Document, InvalidManifest, Transfer, check};

/// How it is called in messages.
const WHAT: &str = "the document";

impl Fetcher {
    /// The bytes of a document, which has `limit` bytes at most.
    ///
    /// # Errors
    ///
    /// When it cannot be had, is larger, or does not have the digest that the
    /// reference gives.
    pub async fn document(&self, reference: &Reference, limit: usize) -> Result<Bytes, FetchError> {
        let transfer = Transfer::default();
        // An artifact's tag is resolved once.
        let manifest = match reference {
            Reference::Oci(_) | Reference::Layout(_) => {
                match self.resolve(reference).await?.identity {
                    Identity::Oci { manifest_digest } => Some(manifest_digest),
                    _ => None,
                }
            }
            Reference::Https(_) | Reference::File(_) => None,
        };
        let got = match (reference, manifest) {
            (Reference::File(path), _) => {
                let path = path.clone();
                let read = move || read_regular(&path, limit as u64, Links::Follow);
                match tokio::task::spawn_blocking(read).await {
                    Ok(read) => read
                        .map(Bytes::from)
                        .map_err(|error| ErrorKind::file(error).into()),
                    Err(error) => Err(ErrorKind::disk(std::io::Error::other(error)).into()),
                }
            }
            (Reference::Https(url), _) => {
                self.online(reference)?;
                self.web_document(url, limit, &transfer).await
            }
            (Reference::Oci(oci), Some(digest)) => {
                self.online(reference)?;
                match self.client.repository(oci, Capability::Pull, &transfer) {
                    Ok(repository) => {
                        let artifacts = Artifacts {
                            repository,
                            http: self.client.http(),
                            meter: &transfer.meter,
                            parts: None,
                        };
                        one_layer(&artifacts, digest, limit).await
                    }
                    Err(error) => Err(error.into()),
                }
            }
            (Reference::Layout(layout), Some(digest)) => match Layout::open(layout.path()).await {
                Ok(layout) => one_layer(&layout, digest, limit).await,
                Err(error) => Err(error.into()),
            },
            (Reference::Oci(_) | Reference::Layout(_), None) => {
                unreachable!("an artifact resolves to a digest")
            }
        };
        let bytes = got.map_err(|failed: Failed| failed.of(reference))?;
        let expected = Expected {
            digest: reference.content_digest(),
            ..Expected::default()
        };
        check(&bytes, expected, WHAT).map_err(|error| Failed::from(error).of(reference))?;
        Ok(bytes)
    }

    async fn web_document(
        &self,
        url: &url::Url,
        limit: usize,
        transfer: &Transfer,
    ) -> Result<Bytes, Failed> {
        let request = Request {
            retry: RetryMode::Repeat,
            ..Request::new(Method::GET, url.clone())
        };
        let response = self.client.http().send(request, &transfer.meter).await?;
        match response.status() {
            StatusCode::OK => Ok(response.bytes(limit, WHAT, &transfer.meter).await?),
            _ => Err(response.refused(WHAT).await.into()),
        }
    }
}

/// The one layer of an artifact.
async fn one_layer(content: &impl Content, digest: Digest, limit: usize) -> Result<Bytes, Failed> {
    let expected = Expected {
        digest: Some(digest),
        ..Expected::default()
    };
    let bytes = content.document(digest, expected).await?;
    let manifest = match Document::parse(&bytes)? {
        Document::Manifest(manifest) => manifest,
        Document::Index(_) => return Err(InvalidManifest::NotOneLayer.into()),
    };
    match &*manifest.layers {
        [layer] if layer.size > limit as u64 => {
            Err(ErrorKind::too_large(WHAT, limit as u64).into())
        }
        [layer] => content.small(layer, WHAT).await,
        _ => Err(InvalidManifest::NotOneLayer.into()),
    }
}
