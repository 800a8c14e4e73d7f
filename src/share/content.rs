//! The artifacts that this node shares: those of installed components, byte for byte
//! as their registries had them.
//!
//! Only artifacts that came complete from a registry, without credentials, are
//! shared, unless the operator shares private ones too. Cached facts are revalidated
//! on every request, so that an unload or a replacement takes effect at once, and
//! every file's digest is checked before its first byte is sent.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::digest::Digest;

use crate::store::{Store, StoreError};

use super::checked::Checked;
use super::index::{Index, SharedArtifact};
use super::names::{self, Pick, Repository};

/// Most files hashed at once, for all requests together.
const HASHING: usize = 2;

/// Which components are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those pulled without credentials.
    Public,
    /// Also those pulled with credentials, or before this was recorded.
    Private,
}

/// The shared content of one root.
pub struct Share {
    store: Store,
    scope: Scope,
    index: Mutex<Index>,
    pub(super) checked: Mutex<Checked>,
    pub(super) hashing: Semaphore,
}

/// An OCI manifest, image index or blob whose digest was checked.
#[derive(Debug)]
pub struct Item {
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Of manifests and indexes; `None` for blobs.
    pub media_type: Option<String>,
    /// Open, positioned at the start.
    pub file: File,
}

/// The name of an OCI manifest in its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestName {
    Tag(String),
    Digest(Digest),
}

/// The reason why a request gets no content.
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
    #[error("the installed components cannot be read")]
    Failed(#[source] ReadError),
}

/// The reason why the store could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the reading task ended early")]
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

    /// Logs how many components are shared, and why others are not.
    pub async fn announce(self: &Arc<Self>) {
        match self.all().await {
            Ok(artifacts) => tracing::info!("{} components are shared", artifacts.len()),
            Err(error) => tracing::warn!("what is installed cannot be shared: {error}"),
        }
    }

    /// The tags by which the repository was pulled, sorted.
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

    /// The document with this tag or digest; for a tag that named an image index, the
    /// index.
    ///
    /// # Errors
    ///
    /// When it is not shared, or its bytes do not match its digest.
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
    /// When it is not shared, or its bytes do not match its digest.
    pub async fn blob(
        self: &Arc<Self>,
        repository: &Repository,
        digest: Digest,
    ) -> Result<Item, NotShared> {
        let artifacts = self.artifacts(repository).await?;
        // Several components may have this blob; one copy may be damaged.
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

    /// The shared components of the repository, latest first.
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

    /// Everything that is shared now, latest first.
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
