//! Referrers of an artifact, with and without the registry's API.

use serde_json::{Value, json};
use wassette::digest::Digest;

use crate::support::artifact::{Artifact, WASM, descriptor};
use crate::support::components::{ANSWER, binary};
use crate::support::pusher::{Ferro, Pusher};
use crate::support::registry::Registry;

const SIGNATURE: &str = "application/vnd.example.signature";

/// An artifact that only refers to another.
fn about(subject: &Artifact, note: &str) -> Artifact {
    let mut artifact = Artifact::with_config(
        "application/vnd.oci.empty.v1+json",
        b"{}".to_vec(),
        &[("text/plain", note.as_bytes())],
    );
    let subject: Value = descriptor(
        "application/vnd.oci.image.manifest.v1+json",
        &subject.bytes(),
    );
    artifact.manifest["subject"] = subject;
    artifact.manifest["artifactType"] = json!(SIGNATURE);
    artifact
}

#[tokio::test]
async fn referrers_are_listed_with_and_without_the_registrys_help() {
    let (docker, ferro) = (Registry::start(), Ferro::start().await);
    let subject = Artifact::new(&[(WASM, &binary(ANSWER))]);
    for registry in [
        docker.reference("acme/answer"),
        ferro.reference("acme/answer"),
    ] {
        let pusher = Pusher::new();
        let tagged = format!("{registry}:v1");
        let digest = pusher.push(&tagged, &subject).await.expect("a push");
        let writer = pusher.to(&tagged);
        assert_eq!(writer.referrers(digest).await.expect("a list"), []);
        let mut expected = Vec::new();
        for note in ["one", "two", "two"] {
            let referrer = about(&subject, note);
            let pushed = pusher.push(&format!("{registry}:{note}"), &referrer).await;
            expected.push(pushed.expect("a push"));
        }
        expected.sort();
        expected.dedup();
        let found = writer.referrers(digest).await.expect("a list");
        let mut digests: Vec<Digest> = found.iter().map(|one| one.digest).collect();
        digests.sort();
        assert_eq!(digests, expected, "{registry}");
        for one in found {
            assert_eq!(one.artifact_type.as_deref(), Some(SIGNATURE));
        }
    }
}
