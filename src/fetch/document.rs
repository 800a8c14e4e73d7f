//! Fetches small documents, such as catalogs: from a file, a web address, or the single layer of
//! an artifact.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};

use super::content::Content;
use super::error::{ErrorKind, Failed, FetchError};
use super::layout::Layout;
use super::media_type::{ConfigKind, LayerKind};
use super::plan::select;
use super::remote::Artifacts;
use super::{Fetcher, Identity};
use crate::digest::{Digest, Expected};
use crate::file::{Links, read_regular};
use crate::net::{Request, RetryMode};
use crate::reference::{OciReference, Reference};
use crate::registry::{Capability, Document, InvalidManifest, Transfer, check};

/// Name of the content in messages.
const WHAT: &str = "the document";

/// Longest entity tag that is kept, in characters.
const LONGEST_TAG: usize = 1024;

/// The answer to a conditional request for a document.
#[derive(Debug)]
pub enum Renewed {
    /// The web server says that it still has this entity tag.
    Unchanged,
    Changed {
        bytes: Bytes,
        /// The entity tag from the web server.
        etag: Option<String>,
    },
}

impl Fetcher {
    /// The bytes of a document of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be fetched, is larger, or does not match the reference's digest.
    pub async fn document(&self, reference: &Reference, limit: usize) -> Result<Bytes, FetchError> {
        match self.document_unless(reference, limit, None).await? {
            Renewed::Changed { bytes, .. } => Ok(bytes),
            Renewed::Unchanged => unreachable!("only what has a tag can be unchanged"),
        }
    }

    /// Like [`Fetcher::document`], unless a web server reports that it still has this entity tag.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::document`].
    pub async fn document_unless(
        &self,
        reference: &Reference,
        limit: usize,
        etag: Option<&str>,
    ) -> Result<Renewed, FetchError> {
        let reference = &self.locate(reference).await?;
        let transfer = Transfer::default();
        // Resolve an artifact's tag only once.
        let manifest = match reference {
            Reference::Oci(_) | Reference::Layout(_) => {
                match self.resolve(reference).await?.identity {
                    Identity::Oci { manifest_digest } => Some(manifest_digest),
                    _ => None,
                }
            }
            Reference::Https(_) | Reference::File(_) | Reference::Package(_) => None,
        };
        let mut new_etag = None;
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
                match self.web_document(url, limit, etag, &transfer).await {
                    Ok(Renewed::Unchanged) => return Ok(Renewed::Unchanged),
                    Ok(Renewed::Changed { bytes, etag }) => {
                        new_etag = etag;
                        Ok(bytes)
                    }
                    Err(error) => Err(error),
                }
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
            (Reference::Oci(_) | Reference::Layout(_) | Reference::Package(_), _) => {
                unreachable!("an artifact resolves to a digest")
            }
        };
        let bytes = got.map_err(|failed: Failed| failed.of(reference))?;
        let expected = Expected {
            digest: reference.content_digest(),
            ..Expected::default()
        };
        check(&bytes, expected, WHAT).map_err(|error| Failed::from(error).of(reference))?;
        Ok(Renewed::Changed {
            bytes,
            etag: new_etag,
        })
    }

    /// Whether an artifact of a registry is a component, as its OCI manifest says.
    ///
    /// # Errors
    ///
    /// When it cannot be had, or is no artifact.
    pub async fn is_component(&self, reference: &Reference) -> Result<bool, FetchError> {
        let Reference::Oci(oci) = reference else {
            return Ok(false);
        };
        self.online(reference)?;
        let looked_at = self.media_types(oci).await;
        let types = looked_at.map_err(|failed| failed.of(reference))?;
        Ok(types.iter().any(|one| {
            matches!(LayerKind::of(one), LayerKind::Wasm(_))
                || ConfigKind::of(one) == ConfigKind::Wasm
        }))
    }

    /// The media types of an artifact's config and layers; of an index, those of the
    /// entry for wasm.
    async fn media_types(&self, oci: &OciReference) -> Result<Vec<String>, Failed> {
        let transfer = Transfer::default();
        let (identity, _) = self.resolve_tag(oci, &transfer).await?;
        let Identity::Oci { manifest_digest } = identity else {
            return Ok(Vec::new());
        };
        let content = Artifacts {
            repository: self.client.repository(oci, Capability::Pull, &transfer)?,
            http: self.client.http(),
            meter: &transfer.meter,
            parts: None,
        };
        let mut digest = manifest_digest;
        // An index names no index.
        for _ in 0..2 {
            let expected = Expected {
                digest: Some(digest),
                ..Expected::default()
            };
            let bytes = content.document(digest, expected).await?;
            match Document::parse(&bytes)? {
                Document::Index(index) => digest = select(&index)?.digest,
                Document::Manifest(manifest) => {
                    let parts = manifest.config.iter().chain(&manifest.layers);
                    return Ok(parts.map(|part| part.media_type.clone()).collect());
                }
            }
        }
        Ok(Vec::new())
    }

    async fn web_document(
        &self,
        url: &url::Url,
        limit: usize,
        etag: Option<&str>,
        transfer: &Transfer,
    ) -> Result<Renewed, Failed> {
        let mut request = Request {
            retry: RetryMode::Repeat,
            ..Request::new(Method::GET, url.clone())
        };
        let condition = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
        let is_conditional = condition.is_some();
        if let Some(condition) = condition {
            request.headers.insert(header::IF_NONE_MATCH, condition);
        }
        let response = self.client.http().send(request, &transfer.meter).await?;
        match response.status() {
            StatusCode::OK => {
                let etag = response.headers().get(header::ETAG);
                let etag = etag.and_then(|etag| etag.to_str().ok());
                let etag = etag
                    .filter(|etag| etag.len() <= LONGEST_TAG)
                    .map(str::to_owned);
                let bytes = response.bytes(limit, WHAT, &transfer.meter).await?;
                Ok(Renewed::Changed { bytes, etag })
            }
            StatusCode::NOT_MODIFIED if is_conditional => Ok(Renewed::Unchanged),
            _ => Err(response.refused(WHAT).await.into()),
        }
    }
}

/// Fetches the single layer of an artifact.
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
