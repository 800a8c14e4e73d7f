//! Finds installed components whose sources have other versions.

use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::digest::Digest;
use crate::error::Report;
use crate::fetch::{FetchError, Identity, Resolved};
use crate::reference::{ComponentId, Shown};
use crate::store::{Entry, Metadata, Store, StoreError};

use super::{Error, Installer};

/// Most sources asked at once.
const AT_ONCE: usize = 16;

/// One component, compared with its source.
#[derive(Debug, Clone, Serialize)]
pub struct Outdated {
    pub component_id: ComponentId,
    pub source: Shown,
    #[serde(flatten)]
    pub freshness: Freshness,
}

/// The result of comparing a component with its source.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Freshness {
    Current,
    Outdated {
        /// The digest of the installed version, if the source names content by digest.
        #[serde(skip_serializing_if = "Option::is_none")]
        installed: Option<Digest>,
        #[serde(skip_serializing_if = "Option::is_none")]
        available: Option<Digest>,
    },
    /// Its address contains a digest, so there is no other version.
    Pinned,
    /// The web server sends no validator; only a download would show a change.
    Unknown,
    /// The source could not be asked.
    Failed {
        error: Report,
    },
}

/// An installed component and the answer of its source.
pub struct Asked {
    pub metadata: Metadata,
    pub answer: SourceAnswer,
}

/// The answer of a source.
pub enum SourceAnswer {
    /// Not asked, because the address contains a digest.
    Pinned,
    Found(Box<Resolved>),
    Failed(FetchError),
}

impl Installer {
    /// Asks the source of every undamaged component for its current version, with one request
    /// each; downloads nothing.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn ask_sources(&self) -> Result<Vec<Asked>, Error> {
        let installed = self.installed().await?;
        Ok(stream::iter(installed)
            .map(|metadata| async move {
                Asked {
                    answer: self.ask(&metadata).await,
                    metadata,
                }
            })
            .buffered(AT_ONCE)
            .collect()
            .await)
    }

    /// The undamaged installed components, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn installed(&self) -> Result<Vec<Metadata>, Error> {
        Ok(self.disk.run(sound).await??)
    }

    /// Like [`installed`](Self::installed), but waits only a moment for locks.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn installed_at_once(&self) -> Result<Vec<Metadata>, Error> {
        let listed = self.disk.run(|store| sound(&store.without_patience()));
        Ok(listed.await??)
    }

    async fn ask(&self, metadata: &Metadata) -> SourceAnswer {
        if metadata.source.is_pinned() {
            return SourceAnswer::Pinned;
        }
        let known = Some(&metadata.identity);
        match self
            .fetcher
            .resolve_again(metadata.asked_for(), known)
            .await
        {
            Ok(resolved) => SourceAnswer::Found(Box::new(resolved)),
            Err(error) => SourceAnswer::Failed(error),
        }
    }
}

impl From<&Asked> for Outdated {
    fn from(asked: &Asked) -> Self {
        Outdated {
            component_id: asked.metadata.component_id.clone(),
            source: asked.metadata.source.shown(),
            freshness: match &asked.answer {
                SourceAnswer::Pinned => Freshness::Pinned,
                SourceAnswer::Failed(error) => Freshness::Failed {
                    error: Report::new(error),
                },
                SourceAnswer::Found(resolved) => {
                    compare(&asked.metadata.identity, resolved.identity())
                }
            },
        }
    }
}

fn sound(store: &Store) -> Result<Vec<Metadata>, StoreError> {
    let mut sound: Vec<Metadata> = store
        .list()?
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Sound(installed) => Some(installed.metadata),
            Entry::Damaged { .. } => None,
        })
        .collect();
    sound.sort_by(|a, b| a.component_id.cmp(&b.component_id));
    Ok(sound)
}

fn compare(installed: &Identity, found: &Identity) -> Freshness {
    match found {
        found if found.same_content(installed) => Freshness::Current,
        Identity::Https {
            etag: None,
            last_modified: None,
        } => Freshness::Unknown,
        found => Freshness::Outdated {
            installed: named(installed),
            available: named(found),
        },
    }
}

fn named(identity: &Identity) -> Option<Digest> {
    match identity {
        Identity::Oci { manifest_digest } => Some(*manifest_digest),
        Identity::File { .. } | Identity::Https { .. } => None,
    }
}
