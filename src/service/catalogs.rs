//! The catalogs for searching and for looking up names.

use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use crate::catalog::{
    Catalog, CatalogService, InvalidCatalog, MOST_ENTRIES, items_of, server_entries,
};
use crate::error::Report;
use crate::fetch::{FetchError, Renewed};
use crate::install;
use crate::reference::{Reference, Shown};
use crate::store::{LARGEST_CATALOG, Store, StoreError};

use super::{Error, Service};

/// Artifacts that are looked at, at once, to know whether they are components.
const LOOKED_AT: usize = 8;

/// A catalog in addition to the bundled one.
#[derive(Debug, Clone, Serialize)]
pub struct AddedCatalog {
    pub source: Shown,
    #[serde(flatten)]
    pub state: CatalogState,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum CatalogState {
    Read {
        components: usize,
        /// Number of invalid entries, which were skipped.
        left_out: usize,
    },
    Failed {
        error: Report,
    },
}

/// The bundled catalog and those added to a root, as one.
///
/// # Errors
///
/// When the list of catalogs cannot be read. An unreadable catalog is skipped with a warning.
pub fn catalog_of(root: &Path) -> Result<Catalog, Error> {
    merged(&Store::new(root))
}

fn merged(store: &Store) -> Result<Catalog, Error> {
    let mut catalog = Catalog::bundled().clone();
    for source in store.catalogs()? {
        match store.catalog_text(&source) {
            Ok(text) => match Catalog::foreign(&text, &source) {
                Ok((more, _)) => catalog.extend(more),
                Err(error) => tracing::warn!("the catalog `{}`: {error}", source.shown()),
            },
            Err(error) => tracing::warn!(
                "the catalog `{}` is not here ({error}): `wassette registry update` fetches it",
                source.shown()
            ),
        }
    }
    Ok(catalog)
}

impl Service {
    /// The bundled catalog and the added ones, as one.
    ///
    /// # Errors
    ///
    /// Those of [`catalog_of`].
    pub async fn catalog(&self) -> Result<Catalog, Error> {
        self.disk.run(merged).await?
    }

    /// Fetches a catalog, unless its web server confirms that the copy is current, and adds it as
    /// the last one.
    ///
    /// # Errors
    ///
    /// When it cannot be fetched, or is not a catalog.
    pub async fn add_catalog(self: &Arc<Self>, source: Reference) -> Result<AddedCatalog, Error> {
        if let Reference::Https(address) = &source
            && let Some(service) = CatalogService::at(address)
        {
            let text = self.ask_service(&service).await?;
            return self.keep_catalog(source, text, None).await;
        }
        let fetcher = &self.installer.fetcher;
        let known = source.clone();
        let kept = move |store: &Store| {
            let (etag, text) = (store.catalog_tag(&known)?, store.catalog_text(&known).ok()?);
            // A damaged copy is fetched again.
            Catalog::foreign(&text, &known).ok()?;
            Some((etag, text))
        };
        let kept = self.disk.run(kept).await?;
        let known = kept.as_ref().map(|(etag, _)| etag.as_str());
        let fetched = fetcher
            .document_unless(&source, LARGEST_CATALOG, known)
            .await;
        let (text, etag) = match (fetched.map_err(install::Error::from)?, kept) {
            (Renewed::Unchanged, Some((etag, text))) => (text, Some(etag)),
            (Renewed::Unchanged, None) => unreachable!("only what has a tag can be unchanged"),
            (Renewed::Changed { bytes, etag }, _) => {
                let text =
                    String::from_utf8(bytes.to_vec()).map_err(|_| InvalidCatalog::NotText)?;
                (text, etag)
            }
        };
        let is_document = matches!(source, Reference::Https(_));
        match server_entries(&text).filter(|_| is_document) {
            Some(entries) => {
                let text = document(&self.components_of(entries).await);
                self.keep_catalog(source, text, None).await
            }
            None => self.keep_catalog(source, text, etag).await,
        }
    }

    /// Lists a catalog, and keeps its text.
    async fn keep_catalog(
        &self,
        source: Reference,
        text: String,
        etag: Option<String>,
    ) -> Result<AddedCatalog, Error> {
        let (catalog, left_out) = Catalog::foreign(&text, &source)?;
        let added = AddedCatalog {
            source: source.shown(),
            state: CatalogState::Read {
                components: catalog.entries().len(),
                left_out,
            },
        };
        let write =
            move |store: &Store| store.add_catalog(&source, text.as_bytes(), etag.as_deref());
        self.disk.run(write).await??;
        Ok(added)
    }

    /// Everything that a service lists, as the text of a catalog.
    async fn ask_service(&self, service: &CatalogService) -> Result<String, Error> {
        let mut entries = Vec::new();
        let (mut page, mut listed) = (Some(service.first()), 0);
        let mut before = None;
        while let Some(address) = page {
            let text = self.page(address).await?;
            // A service that ignores the offset answers the same again.
            if before.as_ref() == Some(&text) {
                break;
            }
            let read = service.read(&text, listed)?;
            listed += items_of(&text);
            entries.extend(read.entries);
            (page, before) = (read.next, Some(text));
        }
        entries.truncate(MOST_ENTRIES);
        if service.lists_anything() {
            entries = self.components_of(entries).await;
        }
        let text = document(&entries);
        match text.len() > LARGEST_CATALOG {
            true => Err(InvalidCatalog::TooLarge.into()),
            false => Ok(text),
        }
    }

    async fn page(&self, address: Url) -> Result<String, Error> {
        let fetcher = &self.installer.fetcher;
        let page = Reference::Https(address);
        let bytes = fetcher.document(&page, LARGEST_CATALOG).await;
        let bytes = bytes.map_err(install::Error::from)?;
        Ok(String::from_utf8(bytes.into()).map_err(|_| InvalidCatalog::NotText)?)
    }

    /// The entries whose artifacts are components. What cannot be looked at is none.
    async fn components_of(&self, entries: Vec<Value>) -> Vec<Value> {
        let looked_at = entries.into_iter().map(|entry| async move {
            let uri = entry["uri"].as_str()?.parse::<Reference>().ok()?;
            match self.installer.fetcher.is_component(&uri).await {
                Ok(is_one) => is_one.then_some(entry),
                Err(error) => {
                    report_unknown(&error);
                    None
                }
            }
        });
        let looked_at = stream::iter(looked_at).buffered(LOOKED_AT);
        looked_at.filter_map(async |entry| entry).collect().await
    }

    /// Removes an added catalog.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCatalog`] when it was not added.
    pub async fn remove_catalog(&self, source: Reference) -> Result<(), Error> {
        let source_shown = source.shown();
        let remove = move |store: &Store| store.remove_catalog(&source);
        match self.disk.run(remove).await?? {
            true => Ok(()),
            false => Err(Error::UnknownCatalog { source_shown }),
        }
    }

    /// Fetches every added catalog again. If that fails, the copy stays.
    ///
    /// # Errors
    ///
    /// When the list of catalogs cannot be read.
    pub async fn update_catalogs(self: &Arc<Self>) -> Result<Vec<AddedCatalog>, Error> {
        let listed = self
            .disk
            .run(|store: &Store| -> Result<_, StoreError> { store.catalogs() });
        let mut updated = Vec::new();
        for source in listed.await?? {
            let shown = source.shown();
            updated.push(
                self.add_catalog(source)
                    .await
                    .unwrap_or_else(|error| AddedCatalog {
                        source: shown,
                        state: CatalogState::Failed {
                            error: Report::new(&error),
                        },
                    }),
            );
        }
        Ok(updated)
    }
}

fn report_unknown(error: &FetchError) {
    let report = Report::new(error);
    tracing::info!("left out, as nobody knows whether it is a component: {report}");
}

fn document(entries: &[Value]) -> String {
    json!({ "components": entries }).to_string()
}
