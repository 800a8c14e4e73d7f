//! The config of a wasm artifact.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The config defined by the [CNCF Wasm OCI Artifact][spec].
///
/// [spec]: https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WasmConfig {
    /// Time of creation in RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    #[serde(default)]
    pub author: Option<String>,
    pub architecture: String,
    pub os: String,
    /// Digests of the layers, in manifest order.
    pub layer_digests: Vec<Digest>,
    #[serde(default)]
    pub component: Option<ConfigTarget>,
}

/// The publisher's description of the component. Not trusted: the component
/// itself is inspected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigTarget {
    #[serde(default)]
    pub exports: Vec<String>,
    #[serde(default)]
    pub imports: Vec<String>,
    #[serde(default)]
    pub target: Option<String>,
}
