//! OCI manifests and image indexes, as documents. Pure.
//!
//! Fields are those of the [OCI image specification][spec].
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/main/manifest.md

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::media_type::{ConfigKind, DocumentKind, LayerKind};
use crate::digest::Digest;
use crate::error::{Class, Diagnose};

/// A blob as its manifest promises it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    #[serde(default)]
    pub platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Platform {
    pub architecture: String,
    pub os: String,
}

/// A document under `/manifests/`.
#[derive(Debug)]
pub(super) enum Document {
    Manifest(Manifest),
    Index(Index),
}

#[derive(Debug)]
pub(super) struct Manifest {
    pub config: Option<Descriptor>,
    pub layers: Vec<Descriptor>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct Index {
    manifests: Vec<Descriptor>,
}

/// The blobs to download.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// With its place among the layers.
    pub component: (usize, &'a Descriptor),
    pub policy: Option<(usize, &'a Descriptor)>,
    pub config: Option<(ConfigKind, &'a Descriptor)>,
}

/// The config of a wasm artifact, of the [CNCF Wasm OCI Artifact][spec].
///
/// [spec]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WasmConfig {
    /// RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    #[serde(default)]
    pub author: Option<String>,
    pub architecture: String,
    pub os: String,
    /// In the manifest's order.
    pub layer_digests: Vec<Digest>,
    #[serde(default)]
    pub component: Option<ConfigTarget>,
}

/// What the publisher says of the component; the component itself decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigTarget {
    #[serde(default)]
    pub exports: Vec<String>,
    #[serde(default)]
    pub imports: Vec<String>,
    #[serde(default)]
    pub target: Option<String>,
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

impl Index {
    /// The manifest for wasm: `wasip2` before `wasip1`.
    pub fn select(&self) -> Result<&Descriptor, InvalidManifest> {
        let of = |os: &str| {
            self.manifests.iter().find(|entry| {
                entry
                    .platform
                    .as_ref()
                    .is_some_and(|platform| platform.architecture == "wasm" && platform.os == os)
            })
        };
        of("wasip2").or_else(|| of("wasip1")).ok_or_else(|| {
            let platforms = self.manifests.iter().map(|entry| match &entry.platform {
                Some(Platform { architecture, os }) => format!("{os}/{architecture}"),
                None => "unnamed".to_owned(),
            });
            InvalidManifest::Platform(list(platforms))
        })
    }
}

impl Manifest {
    /// Chooses what to download: the one wasm layer, the policy and the
    /// config, wherever they stand.
    pub fn plan(&self) -> Result<Plan<'_>, InvalidManifest> {
        let config = self
            .config
            .as_ref()
            .map(|config| (ConfigKind::of(&config.media_type), config))
            .filter(|(kind, _)| *kind != ConfigKind::Unknown);
        let mut wasm = self.layers_of(LayerKind::Wasm);
        let component = wasm.next().ok_or_else(|| self.without_wasm())?;
        let mut policies = self.layers_of(LayerKind::Policy);
        let policy = policies.next();
        match (wasm.count(), policies.count()) {
            (0, 0) => Ok(Plan {
                component,
                policy,
                config,
            }),
            (0, more) => Err(InvalidManifest::Several("policy", more + 1)),
            (more, _) => Err(InvalidManifest::Several("wasm", more + 1)),
        }
    }

    fn layers_of(&self, kind: LayerKind) -> impl Iterator<Item = (usize, &Descriptor)> {
        self.layers
            .iter()
            .enumerate()
            .filter(move |(_, layer)| LayerKind::of(&layer.media_type) == kind)
    }

    fn without_wasm(&self) -> InvalidManifest {
        if self.layers_of(LayerKind::Tar).next().is_some() {
            return InvalidManifest::Image;
        }
        let found = self.layers.iter().map(|layer| layer.media_type.clone());
        InvalidManifest::NoWasm(list(found))
    }
}

/// A few of the texts, printable.
fn list(texts: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let mut texts: Vec<String> = texts.take(SHOWN + 1).collect();
    if texts.len() > SHOWN {
        texts[SHOWN] = "…".to_owned();
    }
    let text = match texts.is_empty() {
        true => "none".to_owned(),
        false => texts.join(", "),
    };
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// An OCI manifest that cannot be used.
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
    #[error("the image index leads to another index")]
    Nested,
    #[error("the image index has nothing for wasm; its platforms: {0}")]
    Platform(String),
    #[error("no layer is WebAssembly; the layers: {0}")]
    NoWasm(String),
    #[error("the layers are file systems, as container tools make them")]
    Image,
    #[error("{1} layers are of the {0} kind; one is expected")]
    Several(&'static str, usize),
}

impl Diagnose for InvalidManifest {
    fn code(&self) -> &'static str {
        match self {
            InvalidManifest::NoWasm(_) | InvalidManifest::Image => "invalid-media-type",
            InvalidManifest::Platform(_) => "no-wasm-platform",
            _ => "invalid-manifest",
        }
    }

    fn class(&self) -> Class {
        Class::InvalidComponent
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            InvalidManifest::Image => {
                "container images are not supported; publish the component as an artifact, \
                 for example with `wkg oci push`"
            }
            InvalidManifest::NoWasm(_) => {
                "publish the component with a layer of media type `application/wasm`"
            }
            InvalidManifest::Platform(_) => {
                "the index needs an entry of architecture `wasm` and os `wasip2`"
            }
            InvalidManifest::Several(..) => "publish each component as an artifact of its own",
            _ => "the artifact is damaged; ask its publisher, or try another version",
        };
        Some(hint.to_owned())
    }
}
