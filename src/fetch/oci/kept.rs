//! What is kept of an artifact besides its component, so that it can be passed
//! on whole: byte for byte, since its digests are what others ask for.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::Registry;
use super::endpoint::Endpoint;
use super::manifest::{Descriptor, Document, Manifest, Plan};
use super::media_type::ConfigKind;
use crate::digest::Digest;
use crate::fetch::error::Failed;
use crate::fetch::outcome::KeptBlob;

/// The most bytes that are fetched only to be kept.
const MAX_BYTES: u64 = 1024 * 1024;
/// How long a load may wait for them, once it is their turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// The blob of [empty descriptors][spec].
///
/// [spec]: https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidance-for-an-empty-descriptor
const EMPTY: &[u8] = b"{}";

impl Registry<'_> {
    /// The blobs that nothing but keeping them needs. None where the artifact
    /// cannot be kept whole; that never fails a load.
    pub(super) async fn others(
        &self,
        endpoints: &[Endpoint],
        manifest: &Manifest,
    ) -> Result<Option<Vec<KeptBlob>>, Failed> {
        let plan = manifest.plan()?;
        if plan.packed.is_some() {
            return Ok(None);
        }
        let others = others(manifest, &plan);
        let sizes = others.iter().map(|other| other.size);
        if sizes.fold(0, u64::saturating_add) > MAX_BYTES {
            tracing::debug!("the artifact has more in it than is kept");
            return Ok(None);
        }
        let needed = others.iter().any(|other| !is_empty(other));
        let fetching = async {
            let mut kept = Vec::new();
            for other in others {
                kept.push(self.other(endpoints, other).await?);
            }
            Ok::<_, Failed>(kept)
        };
        // The wait for other downloads is none for these.
        let _slot = match needed {
            true => self.downloads.take().await,
            false => None,
        };
        match tokio::time::timeout(PATIENCE, fetching).await {
            Ok(Ok(kept)) => Ok(Some(kept)),
            Ok(Err(error)) => {
                tracing::info!("the artifact is not kept whole: {error}");
                Ok(None)
            }
            Err(_) => {
                tracing::info!("the artifact is not kept whole: part of it takes too long");
                Ok(None)
            }
        }
    }

    async fn other(
        &self,
        endpoints: &[Endpoint],
        descriptor: &Descriptor,
    ) -> Result<KeptBlob, Failed> {
        if is_empty(descriptor) {
            return Ok(blob(Bytes::from_static(EMPTY)));
        }
        let what = format!("a blob (`{}`)", descriptor.media_type.escape_debug());
        let bytes = self.read_small(endpoints, descriptor, &what);
        bytes.await.map(blob)
    }
}

fn is_empty(descriptor: &Descriptor) -> bool {
    descriptor.size == EMPTY.len() as u64 && descriptor.digest == Digest::of(EMPTY)
}

/// The blobs that are not fetched for what they say, each once.
fn others<'a>(manifest: &'a Manifest, plan: &Plan<'_>) -> Vec<&'a Descriptor> {
    let mut seen: BTreeSet<Digest> = [plan.component.1.digest].into();
    seen.extend(plan.policy.map(|(_, policy)| policy.digest));
    if let Some((ConfigKind::Wasm, config)) = plan.config {
        seen.insert(config.digest);
    }
    let all = manifest.config.iter().chain(&manifest.layers);
    all.filter(|blob| seen.insert(blob.digest)).collect()
}

/// A config or layer, which was held to its digest before.
pub(super) fn blob(bytes: Bytes) -> KeptBlob {
    KeptBlob {
        digest: Digest::of(&bytes),
        bytes,
        media_type: None,
    }
}

/// An OCI manifest or image index.
pub(super) fn document(digest: Digest, bytes: &Bytes, document: &Document) -> KeptBlob {
    KeptBlob {
        digest,
        bytes: bytes.clone(),
        media_type: Some(media_type(bytes, document)),
    }
}

/// What a document calls itself, or what it is where it does not say.
fn media_type(bytes: &[u8], document: &Document) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        media_type: Option<String>,
    }
    let named: Option<Named> = serde_json::from_slice(bytes).ok();
    let usual = match document {
        Document::Manifest(_) => "application/vnd.oci.image.manifest.v1+json",
        Document::Index(_) => "application/vnd.oci.image.index.v1+json",
    };
    let named = named.and_then(|named| named.media_type);
    let named = named.as_deref().unwrap_or(usual);
    // Parameters say nothing here, and could be of any length.
    named.split(';').next().unwrap_or(usual).trim().to_owned()
}
