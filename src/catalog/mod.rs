//! Catalogs: JSON lists of known components. Pure.
//!
//! The documents are `{"components": [{"name", "description", "uri"}, …]}`, or
//! the bare array.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::error::{Class, Diagnose};
use crate::reference::{InvalidReference, Reference};
use crate::text::{Foreign, nearest};

const BUNDLED: &str = include_str!("../../component-registry.json");

/// One known component. Field names are those of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogEntry {
    pub name: String,
    pub description: String,
    /// Where the component comes from; parses as a [`Reference`].
    pub uri: String,
}

/// A list of known components, in the order of its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    entries: Vec<CatalogEntry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Wrapped { components: Vec<CatalogEntry> },
    Bare(Vec<CatalogEntry>),
}

impl Catalog {
    /// The catalog that comes with the program.
    pub fn bundled() -> Self {
        // The document is part of the source, and a test parses it.
        Catalog::parse(BUNDLED).expect("component-registry.json is a catalog")
    }

    /// Reads a catalog document.
    ///
    /// # Errors
    ///
    /// When it is not JSON of either form, or holds a URI that is no reference.
    pub fn parse(json: &str) -> Result<Self, InvalidCatalog> {
        // Parsing in two steps keeps line and column of a syntax error, which
        // an untagged enum loses.
        let value: serde_json::Value = serde_json::from_str(json).map_err(InvalidCatalog::Json)?;
        let document = Document::deserialize(value).map_err(|_| InvalidCatalog::Shape)?;
        let (Document::Wrapped {
            components: entries,
        }
        | Document::Bare(entries)) = document;
        for entry in &entries {
            entry
                .uri
                .parse::<Reference>()
                .map_err(|source| InvalidCatalog::Uri {
                    name: entry.name.clone(),
                    source,
                })?;
        }
        Ok(Catalog { entries })
    }

    /// All entries.
    pub fn entries(&self) -> &[CatalogEntry] {
        &self.entries
    }

    /// The entry of this name.
    ///
    /// # Errors
    ///
    /// [`UnknownName`], with the names that were probably meant.
    pub fn get(&self, name: &str) -> Result<&CatalogEntry, UnknownName> {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| UnknownName {
            name: name.into(),
            similar: self.similar(name),
        })
    }

    fn similar(&self, name: &str) -> Vec<String> {
        let names = || self.entries.iter().map(|entry| entry.name.as_str());
        let mut similar = nearest(name, names());
        similar.extend(names().filter(|known| known.contains(&name.to_lowercase())));
        similar.dedup();
        similar.into_iter().take(3).map(str::to_owned).collect()
    }

    /// The entries where every term occurs in name, description or URI,
    /// whatever the case. A term of several words is several terms; without
    /// terms, all entries.
    pub fn search<S: AsRef<str>>(&self, terms: &[S]) -> Vec<&CatalogEntry> {
        let terms: Vec<String> = terms
            .iter()
            .flat_map(|term| term.as_ref().split_whitespace())
            .map(str::to_lowercase)
            .collect();
        self.entries
            .iter()
            .filter(|entry| {
                // The line breaks keep a term from matching across two fields.
                let text = format!("{}\n{}\n{}", entry.name, entry.description, entry.uri);
                let text = text.to_lowercase();
                terms.iter().all(|term| text.contains(term.as_str()))
            })
            .collect()
    }
}

/// A word that is no name in the catalog.
#[derive(Debug, thiserror::Error)]
#[error("There is no `{name}` in the catalog")]
pub struct UnknownName {
    name: Foreign,
    similar: Vec<String>,
}

impl Diagnose for UnknownName {
    fn code(&self) -> &'static str {
        "unknown-catalog-name"
    }

    fn class(&self) -> Class {
        Class::NotFound
    }

    fn hint(&self) -> Option<String> {
        let file = format!("a file is named by its path, as in `./{}`", self.name);
        Some(match &*self.similar {
            [] => format!("`wassette registry list` shows the catalog; {file}"),
            similar => format!("did you mean `{}`? {file}", similar.join("` or `")),
        })
    }
}

/// A document that is not a catalog.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCatalog {
    #[error("The catalog is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("The catalog is not a list of components")]
    Shape,
    #[error("The catalog has a bad URI for `{name}`")]
    Uri {
        name: String,
        #[source]
        source: InvalidReference,
    },
}

impl Diagnose for InvalidCatalog {
    fn code(&self) -> &'static str {
        "invalid-catalog"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            InvalidCatalog::Uri { source, .. } => source.hint(),
            _ => Some(
                r#"a catalog is {"components": [{"name": …, "description": …, "uri": …}]}"#
                    .to_owned(),
            ),
        }
    }
}
