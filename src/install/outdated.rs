//! Which installed components have moved on at their sources.

use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::digest::Digest;
use crate::error::Report;
use crate::fetch::{FetchError, Identity, Resolved};
use crate::reference::{ComponentId, Shown};
use crate::store::{Entry, Metadata, Store, StoreError};

use super::{Error, Installer};

/// How many sources are asked at once.
const AT_ONCE: usize = 16;

/// One component, against its source.
#[derive(Debug, Clone, Serialize)]
pub struct Outdated {
    pub component_id: ComponentId,
    pub source: Shown,
    #[serde(flatten)]
    pub freshness: Freshness,
}

/// What a component's source says of it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Freshness {
    Current,
    Outdated {
        /// What the source names by its content, where it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        installed: Option<Digest>,
        #[serde(skip_serializing_if = "Option::is_none")]
        available: Option<Digest>,
    },
    /// Its address names the content: there is no other version of it.
    Pinned,
    /// The web server does not tell one content from another; only a download
    /// would.
    Unknown,
    /// The source could not be asked.
    Failed {
        error: Report,
    },
}

/// One installed component and what its source answered.
pub struct Asked {
    pub metadata: Metadata,
    pub answer: SourceAnswer,
}

/// What a source answered when it was asked once.
pub enum SourceAnswer {
    /// It was not asked: its address names the content.
    Pinned,
    Found(Box<Resolved>),
    Failed(FetchError),
}

impl Installer {
    /// Asks the source of every sound component, with one request each, for
    /// what it has now; downloads nothing.
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

    /// What is installed and sound, in the order of the ids.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn installed(&self) -> Result<Vec<Metadata>, Error> {
        Ok(self.disk.run(sound).await??)
    }

    /// The same, but waits no longer than a moment for locks of others.
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
        match self.fetcher.resolve_again(&metadata.source, known).await {
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
