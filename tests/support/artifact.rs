//! Artifacts, in the form in which publishers make them.

use serde_json::{Value, json};
use wassette::digest::Digest;

pub const WASM: &str = "application/wasm";
pub const POLICY: &str = "application/vnd.wasm.policy.v1+yaml";
pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Blobs and the OCI manifest that lists them.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub manifest: Value,
    pub blobs: Vec<Vec<u8>>,
}

impl Artifact {
    /// Creates an artifact with these layers (media type, content) and a wasm config.
    pub fn new(layers: &[(&str, &[u8])]) -> Self {
        let digests: Vec<String> = layers
            .iter()
            .map(|(_, content)| Digest::of(content).to_string())
            .collect();
        let config = json!({
            "created": "2026-01-01T00:00:00Z",
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": digests,
            "component": { "exports": ["answer"], "imports": [] },
        });
        Artifact::with_config(WASM_CONFIG, config.to_string().into_bytes(), layers)
    }

    pub fn with_config(media_type: &str, config: Vec<u8>, layers: &[(&str, &[u8])]) -> Self {
        let mut artifact = Artifact::without_config(layers);
        artifact.manifest["config"] = descriptor(media_type, &config);
        artifact.blobs.push(config);
        artifact
    }

    pub fn without_config(layers: &[(&str, &[u8])]) -> Self {
        let descriptors: Vec<Value> = layers
            .iter()
            .map(|(media_type, content)| descriptor(media_type, content))
            .collect();
        Artifact {
            manifest: json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "layers": descriptors,
                "annotations": { "org.opencontainers.image.title": "test" },
            }),
            blobs: layers.iter().map(|(_, content)| content.to_vec()).collect(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.manifest.to_string().into_bytes()
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

pub fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(content).to_string(),
        "size": content.len(),
    })
}

/// Returns an image index of OCI manifests, each with its `os` and architecture.
pub fn index(entries: &[(&Artifact, &str, &str)]) -> Value {
    let manifests: Vec<Value> = entries
        .iter()
        .map(|(artifact, os, architecture)| {
            let mut entry = descriptor(MANIFEST, &artifact.bytes());
            entry["platform"] = json!({ "os": os, "architecture": architecture });
            entry
        })
        .collect();
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
}
