//! The permissions document that an artifact may carry.
//!
//! What an artifact carries is a request: it is shown to the operator and
//! grants nothing.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Class, Diagnose};

/// The one version of the document there is.
const VERSION: &str = "1.0";

#[derive(Deserialize)]
struct Document {
    version: String,
    #[serde(default)]
    permissions: Value,
}

/// Why a permissions document was refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("The bundled policy is not a permissions document")]
    Malformed(#[source] Box<serde_saphyr::Error>),
    #[error("The bundled policy has version `{found}`")]
    Version { found: String },
}

impl Diagnose for PolicyError {
    fn code(&self) -> &'static str {
        "invalid-policy"
    }

    fn class(&self) -> Class {
        Class::InvalidComponent
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "a policy is YAML with `version: \"{VERSION}\"` and `permissions:`; ask the publisher to mend it"
        ))
    }
}

/// Reads what a bundled policy asks for: the value of `permissions`.
///
/// # Errors
///
/// [`PolicyError`] when the text is not YAML of the known version.
pub fn requested_permissions(text: &str) -> Result<Value, PolicyError> {
    let document: Document =
        serde_saphyr::from_str(text).map_err(|error| PolicyError::Malformed(Box::new(error)))?;
    if document.version != VERSION {
        return Err(PolicyError::Version {
            found: document.version.chars().take(32).collect(),
        });
    }
    Ok(document.permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_read_as_data() {
        let text = "version: \"1.0\"\ndescription: d\npermissions:\n  network:\n    allow:\n    - host: a.example\n";
        assert_eq!(
            requested_permissions(text).unwrap(),
            serde_json::json!({"network": {"allow": [{"host": "a.example"}]}})
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "[1, 2", "version: \"2.0\"", "permissions: {}", "- a"] {
            assert!(requested_permissions(text).is_err(), "{text}");
        }
        let bomb = format!("version: \"1.0\"\npermissions: {}", "[".repeat(100_000));
        assert!(requested_permissions(&bomb).is_err());
    }
}
