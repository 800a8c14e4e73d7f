//! The other documents and blobs of an artifact, kept byte for byte as fetched, so
//! that the artifact can be shared with other machines.

use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::ComponentFiles;
use crate::digest::Digest;
use crate::fetch::Artifact;

/// A document or blob kept beside the component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// The media type of an OCI manifest or image index; absent for configs and layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// Writes the documents and blobs of an artifact beside its component.
pub(super) fn keep(
    artifact: Option<&Artifact>,
    files: &ComponentFiles,
) -> Result<Option<Vec<KeptFile>>, StoreError> {
    let Some(blobs) = artifact.and_then(|artifact| artifact.kept.as_ref()) else {
        return Ok(None);
    };
    let mut kept: Vec<KeptFile> = Vec::new();
    for blob in blobs {
        let path = files.kept(&blob.digest);
        write(&path, &blob.bytes).map_err(StoreError::io("write", &path))?;
        kept.push(KeptFile {
            digest: blob.digest,
            size: blob.bytes.len() as u64,
            media_type: blob.media_type.clone(),
        });
    }
    Ok(Some(kept))
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // `create` and not `create_new`: two layers may have the same bytes.
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
