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
use crate::fetch::unpack::{Form, Packing, Unpack};

/// Container images have at most 127; artifacts have a few.
const MAX_LAYERS: usize = 1000;

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
    /// How the component is packed; none for plain bytes.
    pub packed: Option<(Form, Packing)>,
    pub policy: Option<(usize, &'a Descriptor)>,
    pub config: Option<(ConfigKind, &'a Descriptor)>,
}

impl Plan<'_> {
    /// How to unpack the component, if it is packed.
    pub fn unpack(&self, diff_id: Option<Digest>, limit: u64) -> Option<Unpack> {
        self.packed.map(|(form, packing)| Unpack {
            packing,
            form,
            limit,
            diff_id,
        })
    }

    /// The digest of the component's layer, unpacked, as the [config of an
    /// image][spec] gives it; none where it is silent.
    ///
    /// [spec]: https://github.com/opencontainers/image-spec/blob/main/config.md#properties
    pub fn diff_id(&self, config: &[u8]) -> Result<Option<Digest>, serde_json::Error> {
        #[derive(Default, Deserialize)]
        struct Image {
            #[serde(default)]
            rootfs: Rootfs,
        }
        #[derive(Default, Deserialize)]
        struct Rootfs {
            #[serde(default)]
            diff_ids: Vec<Digest>,
        }
        let image: Image = serde_json::from_slice(config)?;
        Ok(image.rootfs.diff_ids.get(self.component.0).copied())
    }
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

impl Index {
    /// The manifest for wasm: `wasip2` before `wasip1` before any other; or
    /// the only one there is, as container tools wrap images of one platform.
    pub fn select(&self) -> Result<&Descriptor, InvalidManifest> {
        let of = |os: &str| {
            self.manifests.iter().find(|entry| {
                entry
                    .platform
                    .as_ref()
                    .is_some_and(|platform| platform.architecture == "wasm" && platform.os == os)
            })
        };
        let platform = |entry: &Descriptor| entry.platform.clone();
        let any = || {
            self.manifests.iter().find(|entry| {
                platform(entry).is_some_and(|p| matches!(&*p.architecture, "wasm" | "wasm32"))
            })
        };
        // What `unknown` describes is about the image: attestations, signatures.
        let only = || {
            let mut real = self
                .manifests
                .iter()
                .filter(|entry| platform(entry).is_none_or(|p| p.architecture != "unknown"));
            real.next().filter(|_| real.next().is_none())
        };
        let found = of("wasip2").or_else(|| of("wasip1"));
        found.or_else(any).or_else(only).ok_or_else(|| {
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
        let (component, packed) = self.component()?;
        let mut policies = self
            .layers
            .iter()
            .enumerate()
            .filter(|(_, layer)| LayerKind::of(&layer.media_type) == LayerKind::Policy);
        let policy = policies.next();
        match policies.count() {
            0 => Ok(Plan {
                component,
                packed,
                policy,
                config,
            }),
            more => Err(InvalidManifest::Several("policy", more + 1)),
        }
    }

    /// The one layer that holds the component. Where a type says so outright,
    /// compressed and file system layers beside it are something else.
    fn component(&self) -> Result<Found<'_>, InvalidManifest> {
        let mut best: Option<(u8, Found<'_>, usize)> = None;
        for (index, layer) in self.layers.iter().enumerate() {
            let Some((rank, form, packing)) = LayerKind::of(&layer.media_type).component() else {
                continue;
            };
            match &mut best {
                Some((least, _, count)) if *least == rank => *count += 1,
                Some((least, ..)) if *least < rank => {}
                _ => {
                    let plain = (form, packing) == (Form::Component, Packing::None);
                    let packed = (!plain).then_some((form, packing));
                    best = Some((rank, ((index, layer), packed), 1));
                }
            }
        }
        match best {
            Some((_, found, 1)) => Ok(found),
            Some((_, (_, Some((Form::Archive, _))), _)) => Err(InvalidManifest::Layered),
            Some((_, _, count)) => Err(InvalidManifest::Several("wasm", count)),
            None => {
                let found = self.layers.iter().map(|layer| layer.media_type.clone());
                Err(InvalidManifest::NoWasm(list(found)))
            }
        }
    }
}

/// A layer with its place, and how the component in it is packed.
type Found<'a> = ((usize, &'a Descriptor), Option<(Form, Packing)>);

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
    #[error("the layers are several file systems, as container tools make them")]
    Layered,
    #[error("the OCI manifest has more than {MAX_LAYERS} layers")]
    TooMany,
    #[error("the registry calls the OCI manifest `{0}`, and it is something else")]
    ContentType(String),
    #[error("{1} layers are of the {0} kind; one is expected")]
    Several(&'static str, usize),
}

impl Diagnose for InvalidManifest {
    fn code(&self) -> &'static str {
        match self {
            InvalidManifest::NoWasm(_) | InvalidManifest::Layered => "invalid-media-type",
            InvalidManifest::Platform(_) => "no-wasm-platform",
            _ => "invalid-manifest",
        }
    }

    fn class(&self) -> Class {
        Class::InvalidComponent
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            InvalidManifest::Layered => {
                "build the image with a single layer (`FROM scratch` and one `COPY`); \
                 better publish the component as an artifact, for example with `wkg oci push`"
            }
            InvalidManifest::NoWasm(_) => {
                "publish the component with a layer of media type `application/wasm`"
            }
            InvalidManifest::Platform(_) => {
                "the index needs an entry of architecture `wasm` and os `wasip2`, or a single entry"
            }
            InvalidManifest::Several(..) => "publish each component as an artifact of its own",
            _ => "the artifact is damaged; ask its publisher, or try another version",
        };
        Some(hint.to_owned())
    }
}
