//! Which installed components have moved on at their sources.

use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::digest::Digest;
use crate::error::Report;
use crate::fetch::{FetchError, Identity};
use crate::reference::{ComponentId, Shown};
use crate::service::{Error, Service};
use crate::store::Metadata;

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

impl Service {
    /// Asks the source of every sound component, with one request each, for
    /// what it has now; downloads nothing.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn outdated(&self) -> Result<Vec<Outdated>, Error> {
        let sources = self.sound()?;
        Ok(stream::iter(&sources)
            .map(|metadata| async move {
                Outdated {
                    component_id: metadata.component_id.clone(),
                    source: metadata.source.shown(),
                    freshness: self.freshness(metadata).await,
                }
            })
            .buffered(AT_ONCE)
            .collect()
            .await)
    }

    async fn freshness(&self, metadata: &Metadata) -> Freshness {
        if metadata.source.is_pinned() {
            return Freshness::Pinned;
        }
        let known = Some(&metadata.identity);
        let resolved = self.fetcher.resolve_again(&metadata.source, known).await;
        compare(metadata, resolved.as_ref().map(|found| found.identity()))
    }
}

fn compare(metadata: &Metadata, found: Result<&Identity, &FetchError>) -> Freshness {
    let installed = &metadata.identity;
    match found {
        Err(error) => Freshness::Failed {
            error: Report::new(error),
        },
        Ok(found) if found.same_content(installed) => Freshness::Current,
        Ok(Identity::Https {
            etag: None,
            last_modified: None,
        }) => Freshness::Unknown,
        Ok(found) => Freshness::Outdated {
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
