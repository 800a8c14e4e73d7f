//! Selects the parts of an artifact to fetch. Does no I/O.

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
    /// How the component is packed; `None` if it is not.
    pub packed: Option<Packed>,
    pub policy: Option<Layer<'a>>,
    pub config: Option<(ConfigKind, &'a Descriptor)>,
}

/// A layer with its index in the manifest.
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
    /// Selects the wasm layer, the policy and the config, in any order of
    /// layers. Errors if there is not exactly one wasm layer, or more than one
    /// policy.
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

    /// The digest of the component's unpacked layer (`diff_id`) from the
    /// [config of an image][spec]; `None` if it has none.
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

    /// The name of the layer in messages.
    pub fn name(&self) -> String {
        let media_type = self.descriptor.media_type.escape_debug();
        format!("layer {} (`{media_type}`)", self.index)
    }
}

fn layers(manifest: &Manifest) -> impl Iterator<Item = Layer<'_>> {
    let layers = manifest.layers.iter().enumerate();
    layers.map(|(index, descriptor)| Layer { index, descriptor })
}

/// The layer that holds the component. If a layer has a wasm media type,
/// compressed and file system layers are ignored.
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

/// Selects the manifest for wasm in an index: `wasip2` before `wasip1` before
/// any other; or the only manifest, since container tools wrap single-platform
/// images in an index.
pub(super) fn select(index: &Index) -> Result<&Descriptor, InvalidArtifact> {
    let platform = |entry: &Descriptor| entry.platform.clone();
    let find = |fits: &dyn Fn(&str, &str) -> bool| {
        index.manifests.iter().find(|entry| {
            platform(entry).is_some_and(|platform| fits(&platform.architecture, &platform.os))
        })
    };
    // Entries of architecture `unknown` are attestations and signatures of the
    // image.
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

/// Joins the first texts for a message, without control characters.
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

/// An artifact without exactly one usable component.
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
