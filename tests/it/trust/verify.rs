//! Verifies a component from a real registry.

use wassette::digest::Digest;
use wassette::error::Diagnose;
use wassette::fetch::Fetched;
use wassette::verify::{self, Requirements, Signature, Verification, Verified, VerifyError};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM, WASM_CONFIG, index};
use crate::support::components::{ANSWER, EMPTY, binary};
use crate::support::registry::Registry;

fn verify(fetched: Fetched, requirements: &Requirements) -> Result<Verified, VerifyError> {
    verify::verify(fetched, requirements, Signature::NotSought)
}

fn required(digest: Digest) -> Requirements {
    Requirements {
        digest: Some(digest),
        verification: Verification::Required,
    }
}

#[tokio::test]
async fn a_pull_goes_by_three_digests() {
    let registry = Registry::start();
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    let manifest = registry.push("a", "v1", &artifact).await;
    let index = index(&[(&artifact, "wasip2", "wasm")]);
    let index = registry.push_manifest("a", "index", &index).await;

    let load = Load::new();
    for digest in [index, manifest, Digest::of(&binary(ANSWER))] {
        let fetched = load
            .run(&registry.reference("a:index"))
            .await
            .expect("a pull");
        let verified = verify(fetched, &required(digest)).expect("verified");
        assert!(verified.trust().pinned);
    }
    let fetched = load
        .run(&registry.reference("a:index"))
        .await
        .expect("a pull");
    let error = verify(fetched, &required(Digest::of(b"other"))).expect_err("refused");
    assert_eq!(error.code(), "digest-mismatch");
}

#[tokio::test]
async fn a_config_of_other_layers_is_refused() {
    let registry = Registry::start();
    let other = Artifact::new(&[(WASM, &binary(EMPTY))]);
    let config = other.blobs[1].clone();
    let artifact = Artifact::with_config(WASM_CONFIG, config, &[(WASM, &binary(ANSWER))]);
    registry.push("a", "v1", &artifact).await;
    let load = Load::new();
    let pull = async || load.run(&registry.reference("a:v1")).await.expect("a pull");

    let error = verify(pull().await, &Requirements::default()).expect_err("refused");
    assert_eq!(error.code(), "layer-mismatch");
    let skip = Requirements {
        verification: Verification::Skipped,
        ..Requirements::default()
    };
    let verified = verify(pull().await, &skip).expect("skipped");
    assert!(verified.trust().skipped);
}
