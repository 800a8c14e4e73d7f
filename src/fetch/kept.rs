//! Blobs of an artifact besides its component, kept so that the artifact can be
//! shared. They are kept byte for byte, since clients request them by digest.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::content::{Assembler, Content};
use super::error::Failed;
use super::media_type::ConfigKind;
use super::outcome::KeptBlob;
use super::plan::Plan;
use crate::digest::Digest;
use crate::registry::{Descriptor, Document, Manifest};

/// Most bytes fetched only to be kept.
const MAX_BYTES: u64 = 1024 * 1024;
/// Time limit for fetching them, after the wait for a download slot.
const PATIENCE: Duration = Duration::from_secs(5);
/// The blob of [empty descriptors][spec].
///
/// [spec]: https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidance-for-an-empty-descriptor
const EMPTY: &[u8] = b"{}";

impl<C: Content> Assembler<'_, C> {
    /// Fetches the blobs that nothing else needs. `None` if the artifact cannot
    /// be kept completely, which never fails the load.
    pub(super) async fn others(
        &self,
        manifest: &Manifest,
        plan: &Plan<'_>,
    ) -> Result<Option<Vec<KeptBlob>>, Failed> {
        if plan.packed.is_some() || !C::IS_SHARED {
            return Ok(None);
        }
        let others = others(manifest, plan);
        let sizes = others.iter().map(|other| other.size);
        if sizes.fold(0, u64::saturating_add) > MAX_BYTES {
            tracing::debug!("the artifact has more in it than is kept");
            return Ok(None);
        }
        let needed = others.iter().any(|other| !is_empty(other));
        let fetching = async {
            let mut kept = Vec::new();
            for other in others {
                kept.push(self.other(other).await?);
            }
            Ok::<_, Failed>(kept)
        };
        // The time limit begins after the wait for other downloads.
        let _slot = match needed {
            true => self.assembly.downloads.take().await,
            false => None,
        };
        match tokio::time::timeout(PATIENCE, fetching).await {
            Ok(Ok(kept)) => Ok(Some(kept)),
            Ok(Err(failed)) => {
                tracing::info!("the artifact is not kept whole: {}", failed.error);
                Ok(None)
            }
            Err(_) => {
                tracing::info!("the artifact is not kept whole: part of it takes too long");
                Ok(None)
            }
        }
    }

    async fn other(&self, descriptor: &Descriptor) -> Result<KeptBlob, Failed> {
        if is_empty(descriptor) {
            return Ok(blob(Bytes::from_static(EMPTY)));
        }
        let what = format!("a blob (`{}`)", descriptor.media_type.escape_debug());
        self.content.small(descriptor, &what).await.map(blob)
    }
}

fn is_empty(descriptor: &Descriptor) -> bool {
    descriptor.size == EMPTY.len() as u64 && descriptor.digest == Digest::of(EMPTY)
}

/// The config and layers that are not fetched for another purpose, without
/// duplicates.
fn others<'a>(manifest: &'a Manifest, plan: &Plan<'_>) -> Vec<&'a Descriptor> {
    let mut seen: BTreeSet<Digest> = [plan.component.descriptor.digest].into();
    seen.extend(plan.policy.map(|policy| policy.descriptor.digest));
    if let Some((ConfigKind::Wasm, config)) = plan.config {
        seen.insert(config.digest);
    }
    let all = manifest.config.iter().chain(&manifest.layers);
    all.filter(|blob| seen.insert(blob.digest)).collect()
}

/// A kept config or layer. Its digest was checked when it was fetched.
pub(super) fn blob(bytes: Bytes) -> KeptBlob {
    KeptBlob {
        digest: Digest::of(&bytes),
        bytes,
        media_type: None,
    }
}

/// A kept OCI manifest or image index.
pub(super) fn document(digest: Digest, bytes: &Bytes, document: &Document) -> KeptBlob {
    KeptBlob {
        digest,
        bytes: bytes.clone(),
        media_type: Some(document.media_type().to_owned()),
    }
}
