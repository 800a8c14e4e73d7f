use serde::Serialize;

use crate::catalog::CatalogEntry;
use crate::reference::{ComponentId, Reference};

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
        let installed = self.installer.installed().await?;
        let known = |entry: &CatalogEntry| KnownComponent {
            installed: match entry.uri.parse::<Reference>() {
                Ok(uri) => {
                    let from_it = installed.iter().filter(|one| one.is_from(&uri));
                    from_it.map(|one| one.component_id.clone()).collect()
                }
                Err(_) => Vec::new(),
            },
            entry: entry.clone(),
        };
        Ok(entries.into_iter().map(known).collect())
    }
}
