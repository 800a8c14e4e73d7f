//! Results of resolving and fetching.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::WasmConfig;
use crate::digest::Digest;
use crate::reference::Reference;
use crate::registry::{Transfer, Visibility};

/// A resolved reference.
#[derive(Debug)]
pub struct Resolved {
    pub(super) reference: Reference,
    pub(super) identity: Identity,
    /// The OCI manifest or image index, if computing its digest required
    /// fetching it.
    pub(super) document: Option<Bytes>,
    pub(super) pin: Option<Digest>,
    pub(super) transfer: Transfer,
    pub(super) elapsed: Duration,
}

impl Resolved {
    /// The artifact with this digest, without asking its source; `None` if the source does not
    /// name content by digest.
    pub fn locked(reference: &Reference, manifest_digest: Digest) -> Option<Self> {
        let named = matches!(reference, Reference::Oci(_) | Reference::Layout(_));
        named.then(|| Resolved {
            reference: reference.clone(),
            identity: Identity::Oci { manifest_digest },
            document: None,
            pin: None,
            transfer: Transfer::default(),
            elapsed: Duration::ZERO,
        })
    }

    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The identity of the current content. If it is the
    /// [same](Identity::same_content) as that of the installed component, no
    /// download is needed.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Sets the digest of the content that the operator requires, unless the
    /// reference has one. For web servers, which have no digests, it is used to
    /// check the file and to resume its download.
    pub fn pinned_to(self, digest: Option<Digest>) -> Self {
        Resolved {
            pin: self.pin.or(digest),
            ..self
        }
    }

    /// HTTP requests sent so far.
    pub fn requests(&self) -> u32 {
        self.transfer.meter.requests()
    }

    /// The hosts (`host[:port]`) asked so far.
    pub fn hosts_tried(&self) -> Vec<String> {
        self.transfer.meter.hosts_tried()
    }
}

/// Identifies one version of a reference's content. Stored with the installed
/// component.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Identity {
    Oci {
        /// Digest of the OCI manifest or image index that the tag names.
        manifest_digest: Digest,
    },
    File {
        /// Size in bytes.
        size: u64,
        /// Modification time in nanoseconds since 1970.
        mtime_ns: i64,
    },
    Https {
        /// A strong entity tag.
        etag: Option<String>,
        last_modified: Option<String>,
    },
}

impl Identity {
    /// Whether both certainly have the same bytes. Not reflexive: without
    /// `ETag` and `Last-Modified`, even equal identities give no certainty.
    pub fn same_content(&self, other: &Identity) -> bool {
        use Identity::{File, Https, Oci};
        match (self, other) {
            (Oci { manifest_digest: a }, Oci { manifest_digest: b }) => a == b,
            (
                File { size, mtime_ns },
                File {
                    size: other_size,
                    mtime_ns: other_mtime,
                },
            ) => size == other_size && mtime_ns == other_mtime,
            (
                Https {
                    etag,
                    last_modified,
                },
                Https {
                    etag: other_etag,
                    last_modified: other_modified,
                },
            ) => match (etag, other_etag) {
                (Some(a), Some(b)) => a == b,
                (None, None) => last_modified.is_some() && last_modified == other_modified,
                _ => false,
            },
            _ => false,
        }
    }
}

/// A component on disk, with its origin. Not yet verified against the
/// operator's requirements.
#[derive(Debug)]
pub struct Fetched {
    pub reference: Reference,
    pub identity: Identity,
    pub component: Blob,
    /// Only for components from OCI registries.
    pub artifact: Option<Artifact>,
    /// Text of the policy layer: the permissions that the component *requests*.
    pub policy: Option<String>,
    pub receipt: Receipt,
}

/// A file in the staging directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub path: PathBuf,
    /// Digest of the binary, even if the source was text.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
}

/// The rest of the OCI artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Digest of the OCI manifest that lists the layers, not of an image index
    /// that leads to it.
    pub manifest_digest: Digest,
    /// The config, if it has the wasm media type.
    pub config: Option<WasmConfig>,
    /// Annotations of the OCI manifest.
    pub annotations: BTreeMap<String, String>,
    /// Digests of all layers, downloaded or not, in manifest order.
    pub layer_digests: Vec<Digest>,
    /// All documents and blobs besides the component. `None` if the component
    /// was packed, the source cannot be shared, or the rest is too large or
    /// could not be fetched.
    pub kept: Option<Vec<KeptBlob>>,
}

/// A document or blob of an artifact, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBlob {
    pub digest: Digest,
    pub bytes: Bytes,
    /// Media type of an OCI manifest or image index; `None` for configs and
    /// layers.
    pub media_type: Option<String>,
}

/// Record of one fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The registry (`host[:port]`) or web host; `None` for files and layouts.
    pub source_host: Option<String>,
    /// Every host (`host[:port]`) in the order of the first request to each,
    /// including mirrors and redirects.
    #[serde(default)]
    pub hosts_tried: Vec<String>,
    pub manifest_digest: Option<Digest>,
    /// Digest of the component's binary.
    pub content_digest: Digest,
    /// Bytes of response bodies received.
    pub bytes_downloaded: u64,
    /// HTTP requests sent, including redirects and token requests.
    pub requests: u32,
    pub retries: u32,
    /// The part of `bytes_downloaded` that resumed an interrupted download.
    #[serde(default)]
    pub bytes_resumed: u64,
    #[serde(default)]
    pub openness: Visibility,
    /// Duration of resolving and fetching, in milliseconds.
    pub fetch_ms: u64,
}

/// The result of fetching from any kind of source.
pub(super) struct Parts {
    pub identity: Identity,
    pub component: Blob,
    pub artifact: Option<Artifact>,
    pub policy: Option<String>,
}
