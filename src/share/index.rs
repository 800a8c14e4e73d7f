//! Determines which installed components are shared, and their files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::fetch::Identity;
use crate::reference::{ComponentId, Reference};
use crate::registry::Visibility;
use crate::store::{ComponentFiles, FileStamp, Metadata, Store, StoreError};

use super::content::Scope;

/// A shared component.
#[derive(Debug)]
pub struct SharedArtifact {
    /// `host[:port]`.
    pub registry: String,
    /// The repository's name on that registry.
    pub repository: String,
    /// The tag it was pulled by. `None` for a reference with both tag and digest,
    /// since the tag was then never looked up.
    pub tag: Option<String>,
    /// The digest that the tag named: of the OCI manifest, or of the index that led
    /// to it.
    pub named: Digest,
    pub created_at: Timestamp,
    contents: Vec<SharedFile>,
}

/// A file of a shared component.
#[derive(Debug, Clone)]
pub struct SharedFile {
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Of manifests and indexes; `None` for blobs.
    pub media_type: Option<String>,
    pub path: PathBuf,
}

/// The result of the last refresh, so that the next one reads only changes.
#[derive(Debug, Default)]
pub struct Index {
    places: HashMap<ComponentId, Place>,
}

#[derive(Debug)]
struct Place {
    stamp: FileStamp,
    artifact: Option<Arc<SharedArtifact>>,
}

/// The reason why a component is not shared.
#[derive(Debug, PartialEq, Eq)]
enum Kept {
    NotOfRegistry,
    Private,
    Incomplete,
}

impl Index {
    /// The shared components now, latest first.
    pub fn refresh(
        &mut self,
        store: &Store,
        scope: Scope,
    ) -> Result<Vec<Arc<SharedArtifact>>, StoreError> {
        let ids = store.ids()?;
        let mut before = std::mem::take(&mut self.places);
        for id in ids {
            let files = store.layout().component(&id);
            // Without metadata there is nothing to share.
            let Some(stamp) = FileStamp::of(&files.metadata) else {
                continue;
            };
            let place = match before.remove(&id) {
                Some(place) if place.stamp == stamp && stamp.is_settled() => place,
                _ => Place {
                    stamp,
                    artifact: read(&id, &files, scope),
                },
            };
            self.places.insert(id, place);
        }
        let artifacts = self
            .places
            .values()
            .filter_map(|place| place.artifact.clone());
        let mut artifacts: Vec<Arc<SharedArtifact>> = artifacts.collect();
        artifacts.sort_by_key(|artifact| std::cmp::Reverse(artifact.created_at));
        Ok(artifacts)
    }
}

fn read(id: &ComponentId, files: &ComponentFiles, scope: Scope) -> Option<Arc<SharedArtifact>> {
    let metadata = Metadata::read(&files.metadata);
    let metadata = metadata.or_else(|_| Metadata::read(&files.metadata_copy));
    match SharedArtifact::of(metadata.ok()?, files, scope) {
        Ok(artifact) => Some(Arc::new(artifact)),
        Err(reason) => {
            match reason {
                Kept::NotOfRegistry => tracing::debug!("`{id}` is not shared: it is a file"),
                Kept::Private => tracing::info!(
                    "`{id}` is not shared: it was pulled with credentials, or before that was \
                     noted (`--share-private` shares it)"
                ),
                Kept::Incomplete => tracing::info!(
                    "`{id}` is not shared: its artifact was packed, has other things in it, or \
                     was pulled by an older version"
                ),
            }
            None
        }
    }
}

impl SharedArtifact {
    fn of(metadata: Metadata, files: &ComponentFiles, scope: Scope) -> Result<Self, Kept> {
        let (Reference::Oci(source), Identity::Oci { manifest_digest }) =
            (&metadata.source, &metadata.identity)
        else {
            return Err(Kept::NotOfRegistry);
        };
        if metadata.receipt.openness != Visibility::Public && scope == Scope::Public {
            return Err(Kept::Private);
        }
        let kept = metadata.kept.ok_or(Kept::Incomplete)?;
        let mut contents: Vec<SharedFile> = kept
            .into_iter()
            .map(|kept| SharedFile {
                path: files.kept(&kept.digest),
                digest: kept.digest,
                size: kept.size,
                media_type: kept.media_type,
            })
            .collect();
        contents.push(SharedFile {
            digest: metadata.digests.component,
            size: metadata.validation_stamp.file_size,
            media_type: None,
            path: files.wasm.clone(),
        });
        let is_kept = |digest: &Digest| contents.iter().any(|shared| shared.digest == *digest);
        // The tag may have moved to an index around the same OCI manifest.
        let named = Some(*manifest_digest).filter(is_kept);
        let named = named.or(metadata.digests.manifest);
        Ok(SharedArtifact {
            registry: source.registry().to_owned(),
            repository: source.hosted_repository().into_owned(),
            tag: source
                .tag()
                .filter(|_| source.digest().is_none())
                .map(str::to_owned),
            named: named.ok_or(Kept::Incomplete)?,
            created_at: metadata.created_at,
            contents,
        })
    }

    pub fn document(&self, digest: &Digest) -> Option<&SharedFile> {
        let mut contents = self.contents.iter();
        contents.find(|shared| shared.digest == *digest && shared.media_type.is_some())
    }

    pub fn blob(&self, digest: &Digest) -> Option<&SharedFile> {
        let mut contents = self.contents.iter();
        contents.find(|shared| shared.digest == *digest && shared.media_type.is_none())
    }
}
