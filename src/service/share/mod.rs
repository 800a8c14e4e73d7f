//! What this node gives to others: the artifacts of installed components, as
//! their registries had them.
//!
//! Only what came from a registry, whole and open to anyone, is given, unless
//! the operator shares the rest too. Nothing is remembered that is not looked
//! at again at each request, so that an unload or a replacement counts at once;
//! and no byte is given that was not held to its digest.

mod checked;
mod names;
mod shelf;

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::digest::Digest;

use super::{Error, Service};
use checked::Checked;
use names::Pick;
use shelf::{Book, Shelf};

pub use names::Repository;

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
    service: Arc<Service>,
    scope: Scope,
    shelf: Mutex<Shelf>,
    checked: Mutex<Checked>,
    hashing: Semaphore,
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

/// Why there is nothing to give.
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
    Failed(#[source] Box<Error>),
}

impl Service {
    /// Opens what is installed to others.
    pub fn share(self: &Arc<Self>, scope: Scope) -> Arc<Share> {
        Arc::new(Share {
            service: self.clone(),
            scope,
            shelf: Mutex::default(),
            checked: Mutex::default(),
            hashing: Semaphore::new(HASHING),
        })
    }
}

impl Share {
    /// Says how much is shared, and what is not and why.
    pub async fn announce(self: &Arc<Self>) {
        match self.look().await {
            Ok(books) => tracing::info!("{} components are shared", books.len()),
            Err(error) => tracing::warn!("what is installed cannot be shared: {error}"),
        }
    }

    /// The tags under which the repository was pulled, in order.
    ///
    /// # Errors
    ///
    /// When nothing of the repository is shared.
    pub async fn tags(self: &Arc<Self>, repository: &Repository) -> Result<Vec<String>, NotShared> {
        let books = self.books(repository).await?;
        let mut tags: Vec<String> = books.iter().filter_map(|book| book.tag.clone()).collect();
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
        let books = self.books(repository).await?;
        let mut pages = books.iter().filter_map(|book| match name {
            ManifestName::Tag(tag) if book.tag.as_ref() == Some(tag) => book.document(&book.named),
            ManifestName::Tag(_) => None,
            ManifestName::Digest(digest) => book.document(digest),
        });
        let page = pages.next().ok_or(NotShared::Manifest)?.clone();
        let file = self.open(&page).await.ok_or(NotShared::Manifest)?;
        Ok(Item {
            digest: page.digest,
            size: page.size,
            media_type: page.media_type,
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
        let books = self.books(repository).await?;
        // One copy may be damaged where another is not.
        for page in books.iter().filter_map(|book| book.blob(&digest)) {
            if let Some(file) = self.open(page).await {
                return Ok(Item {
                    digest,
                    size: page.size,
                    media_type: None,
                    file,
                });
            }
        }
        Err(NotShared::Blob)
    }

    /// The shared components of the repository, the latest first.
    async fn books(self: &Arc<Self>, repository: &Repository) -> Result<Vec<Arc<Book>>, NotShared> {
        let books = self.look().await;
        let books = books.map_err(|error| NotShared::Failed(Box::new(error)))?;
        match names::pick(repository, books) {
            Pick::Of(books) => Ok(books),
            Pick::None => Err(NotShared::Name),
            Pick::Several => Err(NotShared::Ambiguous),
        }
    }

    /// Everything that is shared now, the latest first.
    async fn look(self: &Arc<Self>) -> Result<Vec<Arc<Book>>, Error> {
        let share = self.clone();
        let look = move || {
            let mut shelf = lock(&share.shelf);
            shelf.look(&share.service.store, share.scope)
        };
        Ok(tokio::task::spawn_blocking(look).await??)
    }
}

/// Neither is ever left half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
