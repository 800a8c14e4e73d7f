//! Parser of OCI manifests and image indexes.
//!
//! The fields are those of the [OCI image specification][spec].
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/main/manifest.md

use std::collections::BTreeMap;

use serde::Deserialize;

use super::media_type::{self, DocumentKind};
use super::referrers::Referrer;
use crate::digest::Digest;

/// Most layers of a manifest. Container images have at most 127, artifacts a few.
const MAX_LAYERS: usize = 1000;

/// A reference to a blob or manifest, with its digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    #[serde(default)]
    pub platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    pub architecture: String,
    pub os: String,
}

/// A document that a registry serves under `/manifests/`.
#[derive(Debug)]
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Index),
}

#[derive(Debug)]
pub(crate) struct Manifest {
    about: About,
    pub config: Option<Descriptor>,
    pub layers: Vec<Descriptor>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Index {
    about: About,
    pub manifests: Vec<Descriptor>,
}

/// The fields that manifests and indexes have in common.
#[derive(Debug)]
struct About {
    media_type: Option<String>,
    artifact_type: Option<String>,
    /// Digest of the manifest that this one refers to, as a signature does.
    subject: Option<Digest>,
}

impl Document {
    /// Parses a document. Its kind is determined by its content, never by the
    /// `Content-Type` header, because the digest covers only the content.
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
            artifact_type: Option<String>,
            subject: Option<serde_json::Value>,
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
        let about = About {
            media_type: raw.media_type.clone(),
            artifact_type: raw.artifact_type,
            subject: raw.subject.as_ref().and_then(digest_of),
        };
        let document = match (raw.layers, raw.manifests) {
            // Different readers could take such a document for a manifest or an
            // index.
            (Some(_), Some(_)) => return Err(InvalidManifest::Ambiguous),
            (Some(layers), None) if fits(DocumentKind::Manifest) => Document::Manifest(Manifest {
                about,
                config: raw.config,
                layers,
                annotations: raw.annotations.unwrap_or_default(),
            }),
            (None, Some(manifests)) if fits(DocumentKind::Index) => {
                Document::Index(Index { about, manifests })
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

/// The digest in a descriptor. An unreadable one is ignored: it is not needed
/// to use the manifest.
fn digest_of(descriptor: &serde_json::Value) -> Option<Digest> {
    descriptor.get("digest")?.as_str()?.parse().ok()
}

impl Document {
    fn about(&self) -> &About {
        match self {
            Document::Manifest(manifest) => &manifest.about,
            Document::Index(index) => &index.about,
        }
    }

    /// The declared media type without parameters, or else the OCI type of its
    /// kind.
    pub fn media_type(&self) -> &str {
        let usual = match self {
            Document::Manifest(_) => media_type::MANIFEST,
            Document::Index(_) => media_type::INDEX,
        };
        let named = self.about().media_type.as_deref();
        // Parameters have no meaning here, and could be long.
        named
            .unwrap_or(usual)
            .split(';')
            .next()
            .unwrap_or(usual)
            .trim()
    }

    /// Digest of the manifest that this one refers to, as a signature does.
    pub fn subject(&self) -> Option<Digest> {
        self.about().subject
    }

    /// The entry of this document in a list of referrers; `digest` and `size`
    /// are its own.
    pub fn as_referrer(&self, digest: Digest, size: u64) -> Referrer {
        let (config, annotations) = match self {
            Document::Manifest(manifest) => {
                (manifest.config.as_ref(), manifest.annotations.clone())
            }
            Document::Index(_) => (None, BTreeMap::new()),
        };
        let artifact_type = self.about().artifact_type.clone();
        Referrer {
            media_type: self.media_type().to_owned(),
            digest,
            size,
            artifact_type: artifact_type.or_else(|| Some(config?.media_type.clone())),
            annotations,
        }
    }

    /// Checks the `Content-Type` against the kind of document: clients that
    /// trust the header would read the document differently.
    pub fn served_as(&self, content_type: &str) -> Result<(), InvalidManifest> {
        let kind = match self {
            Document::Manifest(_) => DocumentKind::Manifest,
            Document::Index(_) => DocumentKind::Index,
        };
        match DocumentKind::of(content_type) {
            // Some servers send `application/json` for everything.
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
    #[error("the OCI manifest is not that of a document, which has one layer")]
    NotOneLayer,
    #[error("the registry gives the OCI manifest the type `{0}`, which does not match its content")]
    ContentType(String),
}
