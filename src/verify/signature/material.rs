//! Signatures as stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::without_bom;

/// One signature with its proof, as found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum Material {
    /// A Sigstore bundle's JSON text.
    Bundle { bundle: String },
    /// cosign's first format: a payload that names the signed digest, and the
    /// annotations of its layer, which hold the rest.
    SimpleSigning {
        /// JSON text whose bytes are signed.
        payload: String,
        annotations: BTreeMap<String, String>,
    },
}

impl Material {
    /// The bundles of a file: one JSON object, or one on each line.
    pub fn of_file(text: &str) -> Vec<Material> {
        let text = without_bom(text);
        let whole = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let texts: Vec<&str> = match whole {
            true => vec![text],
            false => text
                .lines()
                .filter(|line| !line.trim().is_empty())
                .collect(),
        };
        texts
            .into_iter()
            .map(|text| Material::Bundle {
                bundle: unwrapped(text),
            })
            .collect()
    }

    /// Name of the format, for messages.
    pub fn format(&self) -> &'static str {
        match self {
            Material::Bundle { .. } => "Sigstore bundle",
            Material::SimpleSigning { .. } => "cosign signature",
        }
    }
}

/// GitHub's API puts a bundle into the member `bundle` of an object.
fn unwrapped(text: &str) -> String {
    #[derive(Deserialize)]
    struct Wrapper<'a> {
        #[serde(borrow)]
        bundle: &'a serde_json::value::RawValue,
    }
    match serde_json::from_str::<Wrapper<'_>>(text) {
        Ok(wrapper) => wrapper.bundle.get().to_owned(),
        Err(_) => text.trim().to_owned(),
    }
}
