//! OCI manifests and image indexes, as documents. Pure.
//!
//! Fields are those of the [OCI image specification][spec].
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/main/manifest.md

use std::collections::BTreeMap;

use serde::Deserialize;

use super::media_type::DocumentKind;
use crate::digest::Digest;

/// Container images have at most 127; artifacts have a few.
const MAX_LAYERS: usize = 1000;

/// A blob as its manifest promises it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    #[serde(default)]
    pub platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    pub architecture: String,
    pub os: String,
}

/// A document under `/manifests/`.
#[derive(Debug)]
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Index),
}

#[derive(Debug)]
pub(crate) struct Manifest {
    pub config: Option<Descriptor>,
    pub layers: Vec<Descriptor>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Index {
    pub manifests: Vec<Descriptor>,
}

impl Document {
    /// Parses a document. What it is, its own text decides, never the response
    /// header: only the text is covered by the digest.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            schema_version: u32,
            media_type: Option<String>,
            config: Option<Descriptor>,
            layers: Option<Vec<Descriptor>>,
            manifests: Option<Vec<Descriptor>>,
            annotations: Option<BTreeMap<String, String>>,
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(InvalidManifest::Json)?;
        if raw.schema_version != 2 {
            return Err(InvalidManifest::Version(raw.schema_version));
        }
        if raw.layers.as_ref().is_some_and(|l| l.len() > MAX_LAYERS) {
            return Err(InvalidManifest::TooMany);
        }
        let declared = raw.media_type.as_deref().map(DocumentKind::of);
        let fits = |kind| declared.is_none_or(|declared| declared == kind);
        let document = match (raw.layers, raw.manifests) {
            // Two readers could take one document for two different things.
            (Some(_), Some(_)) => return Err(InvalidManifest::Ambiguous),
            (Some(layers), None) if fits(DocumentKind::Manifest) => Document::Manifest(Manifest {
                config: raw.config,
                layers,
                annotations: raw.annotations.unwrap_or_default(),
            }),
            (None, Some(manifests)) if fits(DocumentKind::Index) => {
                Document::Index(Index { manifests })
            }
            (None, None) => return Err(InvalidManifest::Neither),
            _ => {
                return Err(InvalidManifest::Contradiction(
                    raw.media_type.unwrap_or_default(),
                ));
            }
        };
        Ok(document)
    }
}

impl Document {
    /// Refuses a document that was served as another kind: readers that go by
    /// the header would see something else than this one.
    pub fn served_as(&self, content_type: &str) -> Result<(), InvalidManifest> {
        let kind = match self {
            Document::Manifest(_) => DocumentKind::Manifest,
            Document::Index(_) => DocumentKind::Index,
        };
        match DocumentKind::of(content_type) {
            // Some servers call everything `application/json`.
            DocumentKind::Unknown => Ok(()),
            served if served == kind => Ok(()),
            _ => Err(InvalidManifest::ContentType(content_type.to_owned())),
        }
    }
}

/// An OCI manifest or image index that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidManifest {
    #[error("the OCI manifest cannot be read")]
    Json(#[source] serde_json::Error),
    #[error("the OCI manifest has schema version {0}, not 2")]
    Version(u32),
    #[error("the OCI manifest has both `layers` and `manifests`")]
    Ambiguous,
    #[error("the OCI manifest has neither `layers` nor `manifests`")]
    Neither,
    #[error("the OCI manifest contradicts its media type `{0}`")]
    Contradiction(String),
    #[error("the OCI manifest has more than {MAX_LAYERS} layers")]
    TooMany,
    #[error("the registry calls the OCI manifest `{0}`, and it is something else")]
    ContentType(String),
}
