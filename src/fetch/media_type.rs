//! Media types of layers and configs.
//!
//! From the [CNCF Wasm OCI Artifact][wasm] and the [OCI image
//! specification][oci], and older ones still in use.
//!
//! [wasm]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
//! [oci]: https://github.com/opencontainers/image-spec/blob/main/media-types.md

use super::unpack::{Form, Packing};
use crate::registry::essence;

/// The purpose of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerKind {
    Wasm(Packing),
    Policy,
    /// A file system layer of a container image.
    Tar(Packing),
    /// Compressed content of unspecified type.
    Packed(Packing),
    /// Includes the non-distributable layers, whose content is elsewhere.
    Unknown,
}

impl LayerKind {
    pub fn of(media_type: &str) -> Self {
        let essence = essence(media_type);
        let (base, packing) = match essence.rsplit_once('+') {
            Some((base, "gzip")) => (base, Packing::Gzip),
            Some((base, "zstd")) => (base, Packing::Zstd),
            _ => (essence.as_str(), Packing::None),
        };
        match base {
            "application/wasm"
            | "application/vnd.wasm.component.v1"
            | "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm" => {
                LayerKind::Wasm(packing)
            }
            "application/vnd.oci.image.layer.v1.tar" => LayerKind::Tar(packing),
            "application/vnd.docker.image.rootfs.diff.tar" => LayerKind::Tar(packing),
            "application/vnd.docker.image.rootfs.diff.tar.gzip" => LayerKind::Tar(Packing::Gzip),
            "application/vnd.docker.image.rootfs.diff.tar.zstd" => LayerKind::Tar(Packing::Zstd),
            "application/gzip" | "application/x-gzip" => LayerKind::Packed(Packing::Gzip),
            "application/zstd" => LayerKind::Packed(Packing::Zstd),
            "application/vnd.wasm.policy.v1+yaml"
            | "application/vnd.wassette.policy+yaml"
            | "application/x-yaml"
            | "text/yaml"
                if packing == Packing::None =>
            {
                LayerKind::Policy
            }
            _ => LayerKind::Unknown,
        }
    }

    /// How a component in such a layer is packed, with a rank: the lower, the
    /// more explicitly the type declares a component. The lowest rank is
    /// preferred.
    pub fn component(self) -> Option<(u8, Form, Packing)> {
        match self {
            LayerKind::Wasm(packing) => Some((0, Form::Component, packing)),
            LayerKind::Packed(packing) => Some((1, Form::Component, packing)),
            LayerKind::Tar(packing) => Some((2, Form::Archive, packing)),
            LayerKind::Policy | LayerKind::Unknown => None,
        }
    }
}

/// The kind of a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigKind {
    Wasm,
    Image,
    Unknown,
}

impl ConfigKind {
    pub fn of(media_type: &str) -> Self {
        match essence(media_type).as_str() {
            "application/vnd.wasm.config.v0+json" => ConfigKind::Wasm,
            "application/vnd.oci.image.config.v1+json"
            | "application/vnd.docker.container.image.v1+json" => ConfigKind::Image,
            _ => ConfigKind::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::registry::DocumentKind;

    #[test]
    fn spelling_does_not_matter() {
        for text in [
            "application/wasm",
            "Application/WASM",
            " application/wasm ; v=1",
        ] {
            assert_eq!(
                LayerKind::of(text),
                LayerKind::Wasm(Packing::None),
                "{text}"
            );
        }
        assert_eq!(LayerKind::of("text/yaml; charset=utf-8"), LayerKind::Policy);
        assert_eq!(LayerKind::of("application/wasmx"), LayerKind::Unknown);
        assert_eq!(LayerKind::of(""), LayerKind::Unknown);
    }

    #[test]
    fn packings_are_suffixes() {
        for (text, kind) in [
            ("application/wasm+gzip", LayerKind::Wasm(Packing::Gzip)),
            ("application/wasm+zstd", LayerKind::Wasm(Packing::Zstd)),
            ("application/wasm+xz", LayerKind::Unknown),
            ("text/yaml+gzip", LayerKind::Unknown),
            (
                "application/vnd.oci.image.layer.v1.tar+zstd",
                LayerKind::Tar(Packing::Zstd),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                LayerKind::Tar(Packing::Gzip),
            ),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                LayerKind::Unknown,
            ),
        ] {
            assert_eq!(LayerKind::of(text), kind, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_type_has_two_meanings(text in any::<String>(), parameters in any::<String>()) {
            let kinds = (LayerKind::of(&text), ConfigKind::of(&text), DocumentKind::of(&text));
            let known = [
                kinds.0 != LayerKind::Unknown,
                kinds.1 != ConfigKind::Unknown,
                kinds.2 != DocumentKind::Unknown,
            ];
            prop_assert!(known.iter().filter(|known| **known).count() <= 1);
            prop_assert_eq!(LayerKind::of(&format!("{text};{parameters}")), kinds.0);
        }
    }
}
