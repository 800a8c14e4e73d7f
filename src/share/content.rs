//! What this node shares: the artifacts of installed components, as their
//! registries had them.
//!
//! Only artifacts that came whole from a registry, and without credentials, are
//! shared, unless the operator shares the rest too. Cached facts are revalidated
//! on every request, so an unload or a replacement takes effect at once, and
//! every file's digest is checked before its first byte is sent.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::digest::Digest;

use crate::store::{Store, StoreError};

use super::checked::Checked;
use super::index::{Index, SharedArtifact};
use super::names::{self, Pick, Repository};

/// Files that are hashed at once, on behalf of all who ask.
const HASHING: usize = 2;

/// Which components are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those that were pulled without credentials.
    Public,
    /// Those, too, that were pulled with credentials, or before it was noted.
    Private,
}

/// What others may have of one root.
pub struct Share {
    store: Store,
    scope: Scope,
    index: Mutex<Index>,
    pub(super) checked: Mutex<Checked>,
    pub(super) hashing: Semaphore,
}

/// An OCI manifest, image index or blob, held to its digest.
#[derive(Debug)]
pub struct Item {
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Of manifests and indexes; none for blobs.
    pub media_type: Option<String>,
    /// At its beginning.
    pub file: File,
}

/// What names an OCI manifest in its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestName {
    Tag(String),
    Digest(Digest),
}

/// Why nothing is answered.
#[derive(Debug, thiserror::Error)]
pub enum NotShared {
    #[error("no such repository is shared")]
    Name,
    #[error("several registries have a repository of this name: give `?ns=REGISTRY`")]
    Ambiguous,
    #[error("no such OCI manifest is shared")]
    Manifest,
    #[error("no such blob is shared")]
    Blob,
    #[error("what is installed cannot be read")]
    Failed(#[source] ReadError),
}

/// Why the store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the reading task ended before its time")]
    Task(#[from] tokio::task::JoinError),
}

impl Share {
    pub fn new(store: Store, scope: Scope) -> Arc<Self> {
        Arc::new(Share {
            store,
            scope,
            index: Mutex::default(),
            checked: Mutex::default(),
            hashing: Semaphore::new(HASHING),
        })
    }

    /// Logs how many components are shared, and which are not and why.
    pub async fn announce(self: &Arc<Self>) {
        match self.all().await {
            Ok(artifacts) => tracing::info!("{} components are shared", artifacts.len()),
            Err(error) => tracing::warn!("what is installed cannot be shared: {error}"),
        }
    }

    /// The tags under which the repository was pulled, in order.
    ///
    /// # Errors
    ///
    /// When nothing of the repository is shared.
    pub async fn tags(self: &Arc<Self>, repository: &Repository) -> Result<Vec<String>, NotShared> {
        let artifacts = self.artifacts(repository).await?;
        let mut tags: Vec<String> = artifacts
            .iter()
            .filter_map(|artifact| artifact.tag.clone())
            .collect();
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    /// What a tag or digest names: an image index where the tag named one.
    ///
    /// # Errors
    ///
    /// When it is not shared, or its bytes are not what was installed.
    pub async fn manifest(
        self: &Arc<Self>,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Item, NotShared> {
        let artifacts = self.artifacts(repository).await?;
        let mut contents = artifacts.iter().filter_map(|artifact| match name {
            ManifestName::Tag(tag) if artifact.tag.as_ref() == Some(tag) => {
                artifact.document(&artifact.named)
            }
            ManifestName::Tag(_) => None,
            ManifestName::Digest(digest) => artifact.document(digest),
        });
        let shared = contents.next().ok_or(NotShared::Manifest)?.clone();
        let file = self.open(&shared).await.ok_or(NotShared::Manifest)?;
        Ok(Item {
            digest: shared.digest,
            size: shared.size,
            media_type: shared.media_type,
            file,
        })
    }

    /// A config or layer.
    ///
    /// # Errors
    ///
    /// When it is not shared, or its bytes are not what was installed.
    pub async fn blob(
        self: &Arc<Self>,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Item, NotShared> {
        let artifacts = self.artifacts(repository).await?;
        // One copy may be damaged where another is not.
        for shared in artifacts
            .iter()
            .filter_map(|artifact| artifact.blob(&digest))
        {
            if let Some(file) = self.open(shared).await {
                return Ok(Item {
                    digest,
                    size: shared.size,
                    media_type: None,
                    file,
                });
            }
        }
        Err(NotShared::Blob)
    }

    /// The shared components of the repository, the latest first.
    async fn artifacts(
        self: &Arc<Self>,
        repository: &Repository,
    ) -> Result<Vec<Arc<SharedArtifact>>, NotShared> {
        let artifacts = self.all().await;
        let artifacts = artifacts.map_err(NotShared::Failed)?;
        match names::pick(repository, artifacts) {
            Pick::Of(artifacts) => Ok(artifacts),
            Pick::None => Err(NotShared::Name),
            Pick::Several => Err(NotShared::Ambiguous),
        }
    }

    /// Everything that is shared now, the latest first.
    async fn all(self: &Arc<Self>) -> Result<Vec<Arc<SharedArtifact>>, ReadError> {
        let share = self.clone();
        let refresh = move || {
            let mut index = lock(&share.index);
            index.refresh(&share.store, share.scope)
        };
        Ok(tokio::task::spawn_blocking(refresh).await??)
    }
}

/// Neither mutex guards a value that a panic could leave half-changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
