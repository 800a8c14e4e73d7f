//! The blobs of an artifact that are kept besides its component.

use std::time::Duration;

use wassette::digest::Digest;
use wassette::fetch::FetchOptions;

use crate::support::Load;
use crate::support::artifact::{Artifact, POLICY, WASM, descriptor};
use crate::support::components::{ANSWER, binary};
use crate::support::faults::{Faults, Honest};
use crate::support::registry::Registry;

#[tokio::test]
async fn an_artifact_is_kept_byte_for_byte_with_its_small_strangers() {
    let registry = Registry::start();
    let layers = [
        (POLICY, b"version: \"1.0\"\n".as_slice()),
        (WASM, &binary(ANSWER)),
        ("application/x-other", b"a stranger".as_slice()),
        ("application/x-empty", b"{}".as_slice()),
    ];
    let artifact = Artifact::new(&layers);
    registry.push("kept", "v1", &artifact).await;

    let load = Load::new();
    let fetched = load.run(&registry.reference("kept:v1")).await;
    let kept = fetched.expect("a pull").artifact.expect("one").kept;
    let kept = kept.expect("all of it");
    let mut found: Vec<Digest> = kept.iter().map(|one| Digest::of(&one.bytes)).collect();
    found.push(Digest::of(&binary(ANSWER)));
    let all = artifact.blobs.iter().map(|blob| Digest::of(blob));
    let mut expected: Vec<Digest> = all.chain([artifact.digest()]).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for one in kept {
        assert_eq!(one.digest, Digest::of(&one.bytes));
        let is_manifest = one.digest == artifact.digest();
        assert_eq!(one.media_type.is_some(), is_manifest);
    }
}

#[tokio::test]
async fn what_is_only_kept_never_fails_a_load() {
    let wasm = binary(ANSWER);
    let missing = descriptor("application/x-other", b"nowhere to be found");
    let mut artifact = Artifact::without_config(&[(WASM, &wasm)]);
    let layers = artifact.manifest["layers"].as_array_mut();
    layers.expect("layers").push(missing);
    let honest = Honest::new(&artifact);
    let server = Faults::start(move |seen| honest.answer(seen)).await;
    let load = Load::new();
    let fetched = load.run(&server.reference("lacking:v1")).await;
    let fetched = fetched.expect("a pull");
    assert_eq!(fetched.component.digest, Digest::of(&wasm));
    assert_eq!(fetched.artifact.expect("one").kept, None);
}

#[tokio::test]
async fn the_wait_for_other_downloads_costs_nothing_that_is_kept() {
    let wasm = binary(ANSWER);
    let stranger = ("application/x-other", b"a stranger".as_slice());
    let artifact = Artifact::without_config(&[(WASM, &wasm), stranger]);
    let (honest, component) = (Honest::new(&artifact), Digest::of(&wasm).to_string());
    // Longer than the time limit for blobs that are only kept.
    let server = Faults::start_async(move |seen| {
        let (honest, slow) = (honest.clone(), seen.target.ends_with(&component));
        async move {
            if slow {
                tokio::time::sleep(Duration::from_millis(5500)).await;
            }
            honest.answer(&seen)
        }
    })
    .await;
    let load = Load::with(FetchOptions {
        concurrency: 1,
        ..FetchOptions::default()
    });
    let fetched = load.run(&server.reference("slow:v1")).await;
    let kept = fetched.expect("a pull").artifact.expect("one").kept;
    assert_eq!(kept.expect("all of it").len(), 2);
}
