//! Checks the entries of a catalog document.

use std::collections::HashSet;

use serde_json::Value;

use super::{CatalogEntry, EntryDetails};
use crate::error::{Class, Diagnose};
use crate::reference::{InvalidReference, Reference};
use crate::text::{Foreign, is_unprintable};

/// Most characters of a name and of a description.
const LONGEST: [(&str, usize); 2] = [("name", 100), ("description", LONGEST_DESCRIPTION)];
const LONGEST_DESCRIPTION: usize = 1000;

/// A checked entry, with its parsed reference.
#[derive(Debug, Clone)]
pub struct CheckedEntry {
    pub entry: CatalogEntry,
    pub reference: Reference,
}

/// The reason why an entry is invalid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEntry {
    #[error("The entry is not an object")]
    NotAnObject,
    #[error("The entry has no string `{key}`")]
    Missing { key: &'static str },
    #[error("The entry's `{key}` {fault}")]
    Text { key: &'static str, fault: String },
    #[error("Another entry has the name `{name}`")]
    Twice { name: Foreign },
    #[error("The entry's `uri` is not a reference")]
    Uri(#[source] InvalidReference),
    #[error("The entry's `digest` is not a digest")]
    Digest,
}

impl Diagnose for InvalidEntry {
    fn code(&self) -> &'static str {
        "invalid-catalog-entry"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            InvalidEntry::Uri(error) => error.hint(),
            InvalidEntry::Digest => Some("a digest is `sha256:` and 64 digits".into()),
            InvalidEntry::Twice { .. } => {
                Some("names are compared without regard to case; rename one of the two".into())
            }
            _ => Some(r#"an entry is {"name": …, "description": …, "uri": …}"#.into()),
        }
    }
}

/// Checks the entries of one document.
#[derive(Debug, Default)]
pub struct EntryChecker {
    /// The names seen so far, in lower case.
    names: HashSet<String>,
}

impl EntryChecker {
    /// Checks an entry, also against the entries before it.
    ///
    /// # Errors
    ///
    /// [`InvalidEntry`].
    pub fn check(&mut self, value: &Value) -> Result<CheckedEntry, InvalidEntry> {
        let object = value.as_object().ok_or(InvalidEntry::NotAnObject)?;
        let text = |key: &'static str| {
            let text = object.get(key).and_then(Value::as_str);
            text.ok_or(InvalidEntry::Missing { key })
        };
        let entry = CatalogEntry {
            name: text("name")?.to_owned(),
            description: text("description")?.to_owned(),
            uri: text("uri")?.to_owned(),
            digest: None,
            details: EntryDetails::of(object)?,
            catalog: String::new(),
        };
        for (key, longest) in LONGEST {
            let fault = match text(key)? {
                blank if blank.trim().is_empty() => "is empty".to_owned(),
                long if long.chars().count() > longest => {
                    format!("has more than {longest} characters")
                }
                odd if odd.chars().any(is_unprintable) => {
                    "has characters that cannot be seen".to_owned()
                }
                _ => continue,
            };
            return Err(InvalidEntry::Text { key, fault });
        }
        if !self.names.insert(entry.name.to_lowercase()) {
            let name = Foreign::new(&*entry.name);
            return Err(InvalidEntry::Twice { name });
        }
        let digest = match object.get("digest") {
            None | Some(Value::Null) => None,
            Some(digest) => {
                let digest = digest.as_str().and_then(|digest| digest.parse().ok());
                Some(digest.ok_or(InvalidEntry::Digest)?)
            }
        };
        Ok(CheckedEntry {
            reference: entry.uri.parse().map_err(InvalidEntry::Uri)?,
            entry: CatalogEntry { digest, ..entry },
        })
    }
}

impl EntryChecker {
    /// Checks an entry of a third-party catalog and makes it safe to show. `None` if it is
    /// invalid, or if a catalog from the network refers to a file of this machine.
    pub(super) fn foreign(&mut self, value: &Value, source: &Reference) -> Option<CatalogEntry> {
        let description = value.get("description")?.as_str()?.chars();
        let seen = description.filter(|c| !is_unprintable(*c));
        let seen: String = seen.take(LONGEST_DESCRIPTION).collect();
        let mut value = value.clone();
        value["description"] = seen.into();
        EntryDetails::strip(value.as_object_mut()?);
        let checked = self.check(&value).ok()?;
        let is_local =
            |reference: &Reference| matches!(reference, Reference::File(_) | Reference::Layout(_));
        if is_local(&checked.reference) && !is_local(source) {
            return None;
        }
        Some(CatalogEntry {
            catalog: source.shown().to_string(),
            ..checked.entry
        })
    }
}

/// Returns the entries of a catalog document, unchecked.
///
/// # Errors
///
/// When the text is not JSON, or has neither form.
pub fn entries_of(json: &str) -> Result<Vec<Value>, super::InvalidCatalog> {
    let document = serde_json::from_str(json).map_err(super::InvalidCatalog::Json)?;
    let entries = match document {
        Value::Array(entries) => Some(entries),
        Value::Object(mut members) => match members.remove("components") {
            Some(Value::Array(entries)) => Some(entries),
            _ => None,
        },
        _ => None,
    };
    entries.ok_or(super::InvalidCatalog::Shape)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_fault_of_an_entry_is_told() {
        let good = json!({ "name": "a", "description": "A", "uri": "oci://x.io/a:v1" });
        let with = |key: &str, value: Value| {
            let mut entry = good.clone();
            entry[key] = value;
            entry
        };
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(EntryChecker::default().check(&good).is_ok());
        let pinned = EntryChecker::default().check(&with("digest", json!(digest)));
        assert!(pinned.unwrap().entry.digest.is_some());
        for (entry, told) in [
            (json!("a"), "not an object"),
            (
                json!({ "name": "a", "description": "A" }),
                "no string `uri`",
            ),
            (with("name", json!(7)), "no string `name`"),
            (with("name", json!(" ")), "`name` is empty"),
            (with("name", json!("x".repeat(101))), "more than 100"),
            (with("description", json!("")), "`description` is empty"),
            (with("description", json!("a\u{202e}b")), "cannot be seen"),
            (with("uri", json!("a.wasm")), "is not a reference"),
            (with("license", json!(7)), "`license` is not text"),
            (with("version", json!("v".repeat(201))), "more than 200"),
            (
                with("homepage", json!("javascript:x")),
                "not an https address",
            ),
            (with("tags", json!(["a\u{202e}b"])), "cannot be seen"),
            (with("tags", json!("a")), "`tags` is not a list"),
            (
                with("permissions", json!([])),
                "`permissions` is not an object",
            ),
            (
                with("digest", json!("sha256:0")),
                "`digest` is not a digest",
            ),
            (with("digest", json!(7)), "`digest` is not a digest"),
        ] {
            let error = EntryChecker::default().check(&entry).unwrap_err();
            assert!(error.to_string().contains(told), "{entry}: {error}");
            assert!(error.hint().is_some(), "{error}");
        }
        let mut checker = EntryChecker::default();
        checker.check(&good).unwrap();
        let twice = checker.check(&with("name", json!("A"))).unwrap_err();
        assert!(matches!(twice, InvalidEntry::Twice { .. }), "{twice}");
    }

    #[test]
    fn entries_are_read_one_by_one() {
        let both = [
            r#"[1, {"name": "a"}]"#,
            r#"{"components": [1, {"name": "a"}]}"#,
        ];
        for document in both {
            assert_eq!(entries_of(document).unwrap().len(), 2);
        }
        for none in ["{", "7", "{}", r#"{"components": 7}"#] {
            assert!(entries_of(none).is_err(), "{none}");
        }
    }
}
