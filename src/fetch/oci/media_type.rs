//! The media types artifacts are made of.
//!
//! Those of the [CNCF Wasm OCI Artifact][wasm] and the [OCI image
//! specification][oci], and older ones still in use.
//!
//! [wasm]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
//! [oci]: https://github.com/opencontainers/image-spec/blob/main/media-types.md

/// The `Accept` header that gets manifests of every kind.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// What a layer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerKind {
    Wasm,
    Policy,
    /// A file system, as container tools make them.
    Tar,
    Unknown,
}

impl LayerKind {
    pub fn of(media_type: &str) -> Self {
        match essence(media_type).as_str() {
            "application/wasm"
            | "application/vnd.wasm.component.v1"
            | "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm" => LayerKind::Wasm,
            "application/vnd.wasm.policy.v1+yaml"
            | "application/vnd.wassette.policy+yaml"
            | "application/x-yaml"
            | "text/yaml" => LayerKind::Policy,
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => LayerKind::Tar,
            _ => LayerKind::Unknown,
        }
    }
}

/// What a config describes.
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
            "application/vnd.oci.image.config.v1+json" => ConfigKind::Image,
            _ => ConfigKind::Unknown,
        }
    }
}

/// What a document under `/manifests/` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentKind {
    Manifest,
    Index,
    Unknown,
}

impl DocumentKind {
    pub fn of(media_type: &str) -> Self {
        match essence(media_type).as_str() {
            "application/vnd.oci.image.manifest.v1+json"
            | "application/vnd.docker.distribution.manifest.v2+json" => DocumentKind::Manifest,
            "application/vnd.oci.image.index.v1+json"
            | "application/vnd.docker.distribution.manifest.list.v2+json" => DocumentKind::Index,
            _ => DocumentKind::Unknown,
        }
    }
}

/// The type without parameters, in lower case: [RFC 9110][rfc] compares so.
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc9110#name-media-type
fn essence(media_type: &str) -> String {
    let (essence, _) = media_type.split_once(';').unwrap_or((media_type, ""));
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        for text in [
            "application/wasm",
            "Application/WASM",
            " application/wasm ; v=1",
        ] {
            assert_eq!(LayerKind::of(text), LayerKind::Wasm, "{text}");
        }
        assert_eq!(LayerKind::of("text/yaml; charset=utf-8"), LayerKind::Policy);
        assert_eq!(LayerKind::of("application/wasmx"), LayerKind::Unknown);
        assert_eq!(LayerKind::of(""), LayerKind::Unknown);
    }

    #[test]
    fn everything_accepted_is_known() {
        let kinds: Vec<_> = ACCEPT.split(',').map(DocumentKind::of).collect();
        assert_eq!(kinds.len(), 4);
        assert!(!kinds.contains(&DocumentKind::Unknown), "{kinds:?}");
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
