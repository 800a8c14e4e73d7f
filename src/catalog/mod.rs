//! Catalogs: JSON lists of known components. Parsing and search only, no I/O.
//!
//! A catalog is `{"components": [{"name", "description", "uri"}, …]}`, or the
//! array alone. What search services answer is turned into it.

mod details;
mod entry;
mod search;
mod services;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{Class, Diagnose, Diagnosis, Layered};
use crate::reference::{InvalidReference, Reference};
use crate::text::{Foreign, nearest, without_bom};
pub use details::EntryDetails;
pub use entry::{CheckedEntry, EntryChecker, InvalidEntry, entries_of};
use search::Text;
pub use services::{CatalogService, MOST_ENTRIES, items_of, server_entries};

const BUNDLED: &str = include_str!("../../component-registry.json");

/// One known component. The JSON has the same field names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogEntry {
    pub name: String,
    pub description: String,
    /// The reference of the component; parses as a [`Reference`].
    pub uri: String,
    /// The expected digest of the component or of its OCI manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    #[serde(flatten)]
    pub details: EntryDetails,
    /// The catalog of the entry: `bundled`, or the address of another one. Only the bundled
    /// catalog is verified.
    #[serde(skip_deserializing, default = "bundled")]
    pub catalog: String,
}

fn bundled() -> String {
    "bundled".to_owned()
}

/// The source of a component.
#[derive(Debug, Clone)]
pub struct Located {
    pub reference: Reference,
    /// The expected digest, from the catalog.
    pub digest: Option<Digest>,
}

/// A list of known components, in document order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    entries: Vec<CatalogEntry>,
    /// The same entries, prepared for searching.
    texts: Vec<Text>,
}

/// How to search entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Returns the best matches first, and tolerates typos in known words.
    Ranked,
    /// Every term must occur literally, without regard to case, in name, description or URI; the
    /// results are in document order.
    Exact,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Wrapped { components: Vec<CatalogEntry> },
    Bare(Vec<CatalogEntry>),
}

impl Catalog {
    /// Returns the catalog that comes with the program.
    pub fn bundled() -> &'static Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
            // The document is part of the source, and a test parses it.
            Catalog::parse(BUNDLED).expect("component-registry.json is a catalog")
        });
        &CATALOG
    }

    /// Parses a catalog.
    ///
    /// # Errors
    ///
    /// [`InvalidCatalog`] if it is not JSON, has neither form, or has an
    /// invalid URI.
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
        let texts = entries.iter().map(Text::of).collect();
        Ok(Catalog { entries, texts })
    }

    /// Parses a third-party catalog from `source`. Leaves out invalid entries, and returns their
    /// number. Cuts long descriptions, and removes invisible characters from them.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or has neither form.
    pub fn foreign(json: &str, source: &Reference) -> Result<(Self, usize), InvalidCatalog> {
        let mut checker = EntryChecker::default();
        let values = entries_of(without_bom(json))?;
        let entries: Vec<_> = values
            .iter()
            .filter_map(|value| checker.foreign(value, source))
            .collect();
        let texts = entries.iter().map(Text::of).collect();
        let left_out = values.len() - entries.len();
        Ok((Catalog { entries, texts }, left_out))
    }

    /// Appends the entries of another catalog. If both have an entry of the same name, the name
    /// means the first.
    pub fn extend(&mut self, other: Catalog) {
        self.entries.extend(other.entries);
        self.texts.extend(other.texts);
    }

    /// Whether a component's source is given as a catalog name.
    pub fn is_name(text: &str) -> bool {
        !text.is_empty() && !text.contains(['/', '\\', '.', ':'])
    }

    pub fn entries(&self) -> &[CatalogEntry] {
        &self.entries
    }

    /// Parses the source of a component: an address, a path below `base`, or a catalog name, which
    /// has no `/`, `\`, `.` and `:`.
    ///
    /// # Errors
    ///
    /// When it is none of these, or the catalog has no such name.
    pub fn locate(&self, text: &str, base: &Path) -> Result<Located, InvalidSource> {
        let (reference, digest) = match Catalog::is_name(text) {
            true => {
                let entry = self.get(text)?;
                (&*entry.uri, entry.digest)
            }
            false => (text, None),
        };
        Ok(Located {
            reference: Reference::parse(reference, base)?,
            digest,
        })
    }

    /// Returns the entry of this name, without regard to case.
    ///
    /// # Errors
    ///
    /// [`UnknownName`], which suggests similar names.
    pub fn get(&self, name: &str) -> Result<&CatalogEntry, UnknownName> {
        let found = self
            .entries
            .iter()
            .find(|entry| entry.name.eq_ignore_ascii_case(name));
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

    /// Returns the entries that match every term. A term with spaces counts as several terms;
    /// without terms, returns all entries.
    pub fn search<S: AsRef<str>>(&self, terms: &[S], how: Match) -> Vec<&CatalogEntry> {
        let mut words: Vec<String> = Vec::new();
        for word in terms
            .iter()
            .flat_map(|term| term.as_ref().split_whitespace())
        {
            let word = word.to_lowercase();
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let places = match how {
            Match::Ranked => search::ranked(&self.texts, &words),
            Match::Exact => {
                let texts = self.texts.iter().enumerate();
                let matching =
                    texts.filter(|(_, text)| words.iter().all(|word| text.contains(word)));
                matching.map(|(place, _)| place).collect()
            }
        };
        places
            .into_iter()
            .map(|place| &self.entries[place])
            .collect()
    }
}

/// A text that is not a valid source of a component.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSource {
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Name(#[from] UnknownName),
}

impl Layered for InvalidSource {
    fn diagnosis(&self) -> Diagnosis<'_> {
        match self {
            InvalidSource::Reference(error) => Diagnosis::Below(error),
            InvalidSource::Name(error) => Diagnosis::Below(error),
        }
    }
}

/// A word that is not a name in the catalog.
#[derive(Debug, thiserror::Error)]
#[error("There is no `{name}` in the catalog")]
pub struct UnknownName {
    name: Foreign,
    similar: Vec<String>,
}

impl UnknownName {
    /// Returns similar names.
    pub fn similar(&self) -> &[String] {
        &self.similar
    }
}

impl Diagnose for UnknownName {
    fn code(&self) -> &'static str {
        "unknown-catalog-name"
    }

    fn class(&self) -> Class {
        Class::NotFound
    }

    fn hint(&self) -> Option<String> {
        let file = format!("for a file, give its path, as in `./{}`", self.name);
        Some(match &*self.similar {
            [] => format!("`wassette registry list` shows the catalog; {file}"),
            similar => format!("did you mean `{}`? {file}", similar.join("` or `")),
        })
    }
}

/// A document that is not a valid catalog.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCatalog {
    #[error("The catalog is not text")]
    NotText,
    #[error("The catalog is not JSON")]
    Json(#[source] serde_json::Error),
    #[error("The catalog is not a list of components")]
    Shape,
    #[error("The catalog is too large")]
    TooLarge,
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
