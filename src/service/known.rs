use serde::Serialize;

use crate::catalog::CatalogEntry;
use crate::reference::{ComponentId, Reference};
use crate::store::{Entry, Store};

use super::{Error, Service};

/// A known component.
#[derive(Debug, Clone, Serialize)]
pub struct KnownComponent {
    #[serde(flatten)]
    pub entry: CatalogEntry,
    /// The installed components from its source, in any version.
    pub installed: Vec<ComponentId>,
}

impl Service {
    /// Looks up which entries of a catalog are installed.
    ///
    /// # Errors
    ///
    /// When the root cannot be listed.
    pub async fn with_installed(
        &self,
        entries: Vec<&CatalogEntry>,
    ) -> Result<Vec<KnownComponent>, Error> {
        let sources = self.disk.run(sources).await??;
        let known = |entry: &CatalogEntry| KnownComponent {
            installed: match entry.uri.parse::<Reference>() {
                Ok(uri) => {
                    let from_it = sources.iter().filter(|(_, source)| uri.same_source(source));
                    from_it.map(|(id, _)| id.clone()).collect()
                }
                Err(_) => Vec::new(),
            },
            entry: entry.clone(),
        };
        Ok(entries.into_iter().map(known).collect())
    }
}

/// The source of each installed component.
fn sources(store: &Store) -> Result<Vec<(ComponentId, Reference)>, Error> {
    let installed = store.list()?.into_iter().filter_map(|entry| match entry {
        Entry::Sound(installed) => Some(installed.metadata),
        Entry::Damaged { .. } => None,
    });
    Ok(installed
        .map(|metadata| (metadata.component_id, metadata.source))
        .collect())
}
