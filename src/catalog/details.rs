//! Optional keys of a catalog entry, besides name, description and URI.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::InvalidEntry;
use crate::text::is_unprintable;

/// Longest text, in characters.
const LONGEST: usize = 200;
/// Largest number of tags.
const MOST_TAGS: usize = 20;
/// Largest permissions, in bytes of JSON.
const LARGEST_PERMISSIONS: usize = 16 << 10;
const TAGS: &str = "tags";
const PERMISSIONS: &str = "permissions";
const HOMEPAGE: &str = "homepage";

/// Optional information of a catalog about a component. It is only displayed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EntryDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// An https address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The signer, according to the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The requested permissions according to the catalog, in the form of a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Value>,
}

impl EntryDetails {
    /// Reads the optional keys of an entry.
    pub(super) fn of(entry: &Map<String, Value>) -> Result<Self, InvalidEntry> {
        Ok(EntryDetails {
            version: text(entry, "version")?,
            license: text(entry, "license")?,
            homepage: homepage(entry)?,
            tags: tags(entry)?,
            signer: text(entry, "signer")?,
            permissions: permissions(entry)?,
        })
    }

    /// Removes invalid optional keys, so that they do not make a foreign entry unusable.
    pub(super) fn strip(entry: &mut Map<String, Value>) {
        for key in ["version", "license", "signer"] {
            if text(entry, key).is_err() {
                entry.remove(key);
            }
        }
        let faults = [
            (HOMEPAGE, homepage(entry).is_err()),
            (TAGS, tags(entry).is_err()),
            (PERMISSIONS, permissions(entry).is_err()),
        ];
        for (key, _) in faults.into_iter().filter(|(_, is_wrong)| *is_wrong) {
            entry.remove(key);
        }
    }
}

fn fault(key: &'static str, fault: &str) -> InvalidEntry {
    InvalidEntry::Text {
        key,
        fault: fault.to_owned(),
    }
}

/// Returns the value of a key, unless it is missing or null.
fn given<'a>(entry: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    entry.get(key).filter(|value| !value.is_null())
}

fn text(entry: &Map<String, Value>, key: &'static str) -> Result<Option<String>, InvalidEntry> {
    given(entry, key).map(|value| short(value, key)).transpose()
}

fn short(value: &Value, key: &'static str) -> Result<String, InvalidEntry> {
    let text = value.as_str().ok_or_else(|| fault(key, "is not text"))?;
    if text.chars().count() > LONGEST {
        return Err(fault(key, "has more than 200 characters"));
    }
    if text.chars().any(is_unprintable) {
        return Err(fault(key, "has characters that cannot be seen"));
    }
    Ok(text.to_owned())
}

fn homepage(entry: &Map<String, Value>) -> Result<Option<String>, InvalidEntry> {
    match text(entry, HOMEPAGE)? {
        Some(address) if !address.starts_with("https://") => {
            Err(fault(HOMEPAGE, "is not an https address"))
        }
        address => Ok(address),
    }
}

fn tags(entry: &Map<String, Value>) -> Result<Vec<String>, InvalidEntry> {
    let Some(value) = given(entry, TAGS) else {
        return Ok(Vec::new());
    };
    let tags = value
        .as_array()
        .ok_or_else(|| fault(TAGS, "is not a list"))?;
    if tags.len() > MOST_TAGS {
        return Err(fault(TAGS, "has more than 20 entries"));
    }
    tags.iter().map(|tag| short(tag, TAGS)).collect()
}

fn permissions(entry: &Map<String, Value>) -> Result<Option<Value>, InvalidEntry> {
    match given(entry, PERMISSIONS) {
        None => Ok(None),
        Some(value) if !value.is_object() => Err(fault(PERMISSIONS, "is not an object")),
        Some(value) if value.to_string().len() > LARGEST_PERMISSIONS => {
            Err(fault(PERMISSIONS, "is larger than 16 KiB"))
        }
        Some(value) => Ok(Some(value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::catalog::Catalog;

    #[test]
    fn details_are_kept_and_those_of_others_bounded() {
        let entry = json!({
            "name": "weather", "description": "The weather", "uri": "oci://x.io/weather:v1",
            "version": "1.2.0", "license": "MIT", "homepage": "https://x.io/",
            "tags": ["weather"], "signer": "https://x.io/ci", "unknown": 1,
            "permissions": { "network": { "allow": [{ "host": "api.x.io" }] } },
        });
        let known = Catalog::parse(&json!([entry]).to_string()).unwrap();
        let mut expected = entry.clone();
        expected.as_object_mut().unwrap().remove("unknown");
        expected["catalog"] = json!("bundled");
        assert_eq!(json!(known.entries()[0]), expected);
        let source = "https://x.io/catalog.json".parse().unwrap();
        let (foreign, left_out) = Catalog::foreign(&json!([entry]).to_string(), &source).unwrap();
        assert_eq!(left_out, 0);
        assert_eq!(foreign.entries()[0].details, known.entries()[0].details);

        let mut odd = entry;
        odd["license"] = json!("x".repeat(201));
        odd["homepage"] = json!("javascript:alert(1)");
        odd["tags"] = json!(["\u{202e}"]);
        odd["permissions"] = json!({ "x": "x".repeat(20_000) });
        let (foreign, left_out) = Catalog::foreign(&json!([odd]).to_string(), &source).unwrap();
        assert_eq!(left_out, 0);
        let details = &foreign.entries()[0].details;
        assert_eq!(details.version.as_deref(), Some("1.2.0"));
        assert_eq!(details.license, None);
        assert_eq!(details.homepage, None);
        assert!(details.tags.is_empty() && details.permissions.is_none());
    }
}
