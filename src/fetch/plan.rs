//! Which parts of an artifact are fetched. Pure.

use serde::Deserialize;

use super::media_type::{ConfigKind, LayerKind};
use super::unpack::{Form, Packing, Unpack};
use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::registry::{Descriptor, Index, Manifest};

/// The blobs to download.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub component: Layer<'a>,
    /// How the component is packed; none for plain bytes.
    pub packed: Option<Packed>,
    pub policy: Option<Layer<'a>>,
    pub config: Option<(ConfigKind, &'a Descriptor)>,
}

/// A layer with its place among the layers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub index: usize,
    pub descriptor: &'a Descriptor,
}

/// How a component is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed {
    pub form: Form,
    pub packing: Packing,
}

impl<'a> Plan<'a> {
    /// Chooses what to download: the one wasm layer, the policy and the
    /// config, wherever they stand.
    pub fn of(manifest: &'a Manifest) -> Result<Self, InvalidArtifact> {
        let config = manifest
            .config
            .as_ref()
            .map(|config| (ConfigKind::of(&config.media_type), config))
            .filter(|(kind, _)| *kind != ConfigKind::Unknown);
        let (component, packed) = component(manifest)?;
        let mut policies = layers(manifest).filter(|layer| layer.kind() == LayerKind::Policy);
        let policy = policies.next();
        match policies.count() {
            0 => Ok(Plan {
                component,
                packed,
                policy,
                config,
            }),
            more => Err(InvalidArtifact::Several("policy", more + 1)),
        }
    }

    /// How to unpack the component, if it is packed.
    pub fn unpack(&self, diff_id: Option<Digest>, limit: u64) -> Option<Unpack> {
        self.packed.map(|Packed { form, packing }| Unpack {
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
        Ok(image.rootfs.diff_ids.get(self.component.index).copied())
    }
}

impl Layer<'_> {
    fn kind(&self) -> LayerKind {
        LayerKind::of(&self.descriptor.media_type)
    }

    /// How the layer is called in messages.
    pub fn name(&self) -> String {
        let media_type = self.descriptor.media_type.escape_debug();
        format!("layer {} (`{media_type}`)", self.index)
    }
}

fn layers(manifest: &Manifest) -> impl Iterator<Item = Layer<'_>> {
    let layers = manifest.layers.iter().enumerate();
    layers.map(|(index, descriptor)| Layer { index, descriptor })
}

/// The one layer that holds the component. Where a type says so outright,
/// compressed and file system layers beside it are something else.
fn component(manifest: &Manifest) -> Result<(Layer<'_>, Option<Packed>), InvalidArtifact> {
    let mut best: Option<(u8, Layer<'_>, Packed)> = None;
    let mut count = 0;
    for layer in layers(manifest) {
        let Some((rank, form, packing)) = layer.kind().component() else {
            continue;
        };
        match &best {
            Some((least, ..)) if *least == rank => count += 1,
            Some((least, ..)) if *least < rank => {}
            _ => {
                best = Some((rank, layer, Packed { form, packing }));
                count = 1;
            }
        }
    }
    let plain = Packed {
        form: Form::Component,
        packing: Packing::None,
    };
    match best {
        Some((_, layer, packed)) if count == 1 => Ok((layer, (packed != plain).then_some(packed))),
        Some((_, _, packed)) if packed.form == Form::Archive => Err(InvalidArtifact::Layered),
        Some(_) => Err(InvalidArtifact::Several("wasm", count)),
        None => {
            let found = manifest.layers.iter().map(|layer| layer.media_type.clone());
            Err(InvalidArtifact::NoWasm(list(found)))
        }
    }
}

/// The manifest for wasm in an index: `wasip2` before `wasip1` before any
/// other; or the only one there is, as container tools wrap images of one
/// platform.
pub(super) fn select(index: &Index) -> Result<&Descriptor, InvalidArtifact> {
    let platform = |entry: &Descriptor| entry.platform.clone();
    let find = |fits: &dyn Fn(&str, &str) -> bool| {
        index.manifests.iter().find(|entry| {
            platform(entry).is_some_and(|platform| fits(&platform.architecture, &platform.os))
        })
    };
    // What `unknown` describes is about the image: attestations, signatures.
    let only = || {
        let about_image = |entry: &&Descriptor| {
            platform(entry).is_none_or(|platform| platform.architecture != "unknown")
        };
        let mut real = index.manifests.iter().filter(about_image);
        real.next().filter(|_| real.next().is_none())
    };
    find(&|architecture, os| architecture == "wasm" && os == "wasip2")
        .or_else(|| find(&|architecture, os| architecture == "wasm" && os == "wasip1"))
        .or_else(|| find(&|architecture, _| matches!(architecture, "wasm" | "wasm32")))
        .or_else(only)
        .ok_or_else(|| {
            let platforms = index.manifests.iter().map(|entry| match platform(entry) {
                Some(platform) => format!("{}/{}", platform.os, platform.architecture),
                None => "unnamed".to_owned(),
            });
            InvalidArtifact::Platform(list(platforms))
        })
}

/// A few of the texts, printable.
pub(super) fn list(texts: impl Iterator<Item = String>) -> String {
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

const TAKEN: &str = "publish the component with a layer of media type `application/wasm`; also taken \
                     are `application/vnd.wasm.component.v1`, \
                     `application/vnd.bytecodealliance.wasm.component.layer.v0+wasm`, each with \
                     `+gzip` or `+zstd`, `application/gzip`, `application/zstd`, and \
                     `application/vnd.oci.image.layer.v1.tar` (plain, `+gzip` or `+zstd`)";

/// An artifact that holds no component to take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidArtifact {
    #[error("the image index leads to another index")]
    Nested,
    #[error("the image index has nothing for wasm; its platforms: {0}")]
    Platform(String),
    #[error("no layer is WebAssembly; the layers: {0}")]
    NoWasm(String),
    #[error("the layers are the file systems of a container image")]
    Layered,
    #[error("{1} layers are of the {0} kind; one is expected")]
    Several(&'static str, usize),
}

impl Diagnose for InvalidArtifact {
    fn code(&self) -> &'static str {
        match self {
            InvalidArtifact::NoWasm(_) | InvalidArtifact::Layered => "invalid-media-type",
            InvalidArtifact::Platform(_) => "no-wasm-platform",
            InvalidArtifact::Nested | InvalidArtifact::Several(..) => "invalid-manifest",
        }
    }

    fn class(&self) -> Class {
        Class::InvalidComponent
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            InvalidArtifact::Layered => {
                "build the image with a single layer (`FROM scratch` and one `COPY`); \
                 better publish the component as an artifact, for example with `wkg oci push`"
            }
            InvalidArtifact::NoWasm(_) => TAKEN,
            InvalidArtifact::Platform(_) => {
                "the index needs an entry of architecture `wasm` and os `wasip2`, or a single entry"
            }
            InvalidArtifact::Several(..) => "publish each component as an artifact of its own",
            InvalidArtifact::Nested => {
                "the artifact is damaged; ask its publisher, or try another version"
            }
        };
        Some(hint.to_owned())
    }
}
