//! Signatures: rules, keys, certificates and signing.

mod explain;
mod keyless;
mod keys;
mod manifest;
mod rules;
mod sign;
mod verify;

use std::path::Path;

use serde_json::Value;
use wassette::digest::Digest;

use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::node::Node;
use crate::support::pusher::{Ferro, Pusher};
use crate::support::registry::Registry;
use crate::support::signing::{Cosign, referrer};

/// A registry that lists referrers, and one that does not.
struct Registries {
    ferro: Ferro,
    docker: Registry,
}

impl Registries {
    async fn start() -> Self {
        Registries {
            ferro: Ferro::start().await,
            docker: Registry::start(),
        }
    }

    /// `oci://host/name` at each registry.
    fn references(&self, name: &str) -> [String; 2] {
        [self.ferro.reference(name), self.docker.reference(name)]
    }
}

fn component() -> Artifact {
    Artifact::new(&[(WASM, &binary(ANSWER))])
}

/// Another version of the component.
fn other_component() -> Artifact {
    let mut artifact = component();
    artifact.manifest["annotations"]["org.opencontainers.image.version"] = "2".into();
    artifact
}

/// Pushes an artifact to `reference:v1`.
async fn push(reference: &str, artifact: &Artifact) -> Digest {
    let pusher = Pusher::new();
    let pushed = pusher.push(&format!("{reference}:v1"), artifact).await;
    pushed.expect("a push")
}

/// Attaches bundles to an artifact.
async fn attach(reference: &str, artifact: &Artifact, bundles: &[&Value]) {
    let pusher = Pusher::new();
    for bundle in bundles {
        let referrer = referrer(artifact, bundle);
        let tagged = format!("{reference}:bundle-{}", referrer.digest().hex());
        pusher.push(&tagged, &referrer).await.expect("a push");
    }
}

/// Stores signatures under cosign's tag.
async fn tag_signatures(reference: &str, digest: Digest, signatures: &[Cosign]) {
    let tagged = format!("{reference}:sha256-{}.sig", digest.hex());
    let artifact = Cosign::artifact(signatures);
    let pushed = Pusher::new().push(&tagged, &artifact).await;
    pushed.expect("a push");
}

/// A command that succeeds, and what it prints.
async fn done(node: &Node, args: &[&str]) -> Value {
    let output = node.run(&[args, &["-o", "json"]].concat()).await;
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {words}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The code of a command that fails with exit code 5, and its whole output.
async fn refused(node: &Node, args: &[&str]) -> (String, String) {
    let output = node.run(&[args, &["-o", "json"]].concat()).await;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{args:?}: {words}");
    let start = words.find("{\n").unwrap_or_default();
    let report: Value = serde_json::from_str(&words[start..]).expect(&words);
    (report["code"].as_str().expect("a code").to_owned(), words)
}

fn write_config(node: &Node, text: &str) {
    let text = format!("[network]\nretry_base_ms = 1\nretry_max_ms = 1\n{text}");
    std::fs::write(node.place.path("root/config.toml"), text).expect("written");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
