//! What resolving and fetching hand on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::WasmConfig;
use crate::digest::Digest;
use crate::reference::Reference;
use crate::registry::{Transfer, Visibility};

/// What a reference stood for when it was looked up.
#[derive(Debug)]
pub struct Resolved {
    pub(super) reference: Reference,
    pub(super) identity: Identity,
    /// The OCI manifest, where finding its digest meant fetching it.
    pub(super) document: Option<Bytes>,
    pub(super) pin: Option<Digest>,
    pub(super) transfer: Transfer,
    pub(super) elapsed: Duration,
}

impl Resolved {
    /// The artifact of this digest, without a question to its source; none
    /// where the source names nothing by its content.
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

    /// Compare with the identity of what is installed:
    /// [`Identity::same_content`] saves the download.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// With the digest that the operator wants, where the address has none. Web
    /// servers name nothing by its content, so that this is what their files
    /// are held to, and continued by.
    pub fn pinned_to(self, digest: Option<Digest>) -> Self {
        Resolved {
            pin: self.pin.or(digest),
            ..self
        }
    }

    /// HTTP requests so far.
    pub fn requests(&self) -> u32 {
        self.transfer.meter.requests()
    }

    /// The hosts asked so far.
    pub fn hosts_tried(&self) -> Vec<String> {
        self.transfer.meter.hosts_tried()
    }
}

/// What tells one content of a reference from the next. Kept with the
/// installed component.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Identity {
    Oci {
        /// Digest of what the tag names: an OCI manifest or an image index.
        manifest_digest: Digest,
    },
    File {
        /// In bytes.
        size: u64,
        /// Nanoseconds since 1970.
        mtime_ns: i64,
    },
    Https {
        /// A strong entity tag.
        etag: Option<String>,
        last_modified: Option<String>,
    },
}

impl Identity {
    /// Whether both surely stand for the same bytes. Not reflexive: a web
    /// server that tells nothing gives no assurance, even compared with itself.
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

/// A component's bytes on disk and where they came from; not yet verified
/// against what the operator asked for.
#[derive(Debug)]
pub struct Fetched {
    pub reference: Reference,
    pub identity: Identity,
    pub component: Blob,
    /// Only for components from OCI registries.
    pub artifact: Option<Artifact>,
    /// Text of the policy layer: what the component *requests*.
    pub policy: Option<String>,
    pub receipt: Receipt,
}

/// A file in staging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub path: PathBuf,
    /// Of the binary, also where the source was text.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

/// What surrounded the component in the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Of the OCI manifest that lists the layers (behind the image index, if any).
    pub manifest_digest: Digest,
    /// The config, where it is of the wasm kind.
    pub config: Option<WasmConfig>,
    /// Annotations of the OCI manifest.
    pub annotations: BTreeMap<String, String>,
    /// Of all layers, also those not downloaded, in the manifest's order.
    pub layer_digests: Vec<Digest>,
    /// All that it is made of besides the component, as it was fetched; none
    /// where the component was packed, or something else is too large to keep.
    pub kept: Option<Vec<KeptBlob>>,
}

/// A document or blob of an artifact, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBlob {
    pub digest: Digest,
    pub bytes: Bytes,
    /// Of an OCI manifest or image index; none for configs and layers.
    pub media_type: Option<String>,
}

/// What one transfer did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The registry (`host[:port]`) or host; none for a file.
    pub source_host: Option<String>,
    /// Every `host[:port]` that was asked, in the order in which each was first;
    /// mirrors and redirects included.
    #[serde(default)]
    pub hosts_tried: Vec<String>,
    pub manifest_digest: Option<Digest>,
    /// Of the component's binary.
    pub content_digest: Digest,
    /// Bytes of response bodies.
    pub bytes_downloaded: u64,
    /// HTTP requests sent, redirects and tokens included.
    pub requests: u32,
    pub retries: u32,
    /// Of the bytes downloaded, those that continued a download that broke off.
    #[serde(default)]
    pub bytes_resumed: u64,
    #[serde(default)]
    pub openness: Visibility,
    /// Resolving and fetching, in milliseconds.
    pub fetch_ms: u64,
}

/// What each kind of source produces.
pub(super) struct Parts {
    pub identity: Identity,
    pub component: Blob,
    pub artifact: Option<Artifact>,
    pub policy: Option<String>,
}
