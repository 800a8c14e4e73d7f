//! Media types of documents.
//!
//! From the [OCI image specification][oci], and Docker's older ones.
//!
//! [oci]: https://github.com/opencontainers/image-spec/blob/main/media-types.md

/// The `Accept` header for all kinds of manifests.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The kind of a document under `/manifests/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentKind {
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

/// The media type without parameters, in lower case: [RFC 9110][rfc] compares
/// types case-insensitively.
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc9110#name-media-type
pub(crate) fn essence(media_type: &str) -> String {
    let (essence, _) = media_type.split_once(';').unwrap_or((media_type, ""));
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_accepted_is_known() {
        let kinds: Vec<_> = ACCEPT.split(',').map(DocumentKind::of).collect();
        assert_eq!(kinds.len(), 4);
        assert!(!kinds.contains(&DocumentKind::Unknown), "{kinds:?}");
    }
}
