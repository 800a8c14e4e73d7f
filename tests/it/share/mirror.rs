//! Components spread from node to node when their registry is gone.

use std::process::Command;

use serde_json::json;
use wassette::digest::Digest;

use crate::support::artifact::{Artifact, POLICY, WASM, index};
use crate::support::components::{ANSWER, EMPTY, binary, with_section};
use crate::support::node::{Node, address, get};
use crate::support::registry::Registry;
use crate::support::{Load, cut, files};

const LAYER: &[u8] = b"version: \"1.0\"\ndescription: none\npermissions: {}\n";

fn answer() -> Artifact {
    Artifact::new(&[(WASM, &binary(ANSWER)), (POLICY, LAYER)])
}

#[tokio::test]
async fn nodes_pull_from_one_another_when_the_registry_is_gone() {
    let upstream = Registry::start();
    let digest = upstream.push("acme/answer", "v1", &answer()).await;
    let uri = upstream.reference("acme/answer:v1");
    let pinned = upstream.reference(&format!("acme/answer@{digest}"));
    let first = Node::new();
    first.load(&uri).await;
    let from_first = first.share().await;
    drop(upstream);

    let second = Node::behind(address(&from_first));
    let loaded = second.load(&uri).await;
    assert_eq!(loaded["status"], "new");
    let receipt = &loaded["receipt"];
    assert_eq!(receipt["manifest_digest"], json!(digest));
    assert_eq!(receipt["hosts_tried"], json!([address(&from_first)]));
    assert_eq!(receipt["openness"], "public");
    let called = second.run(&["call", "answer"]).await;
    assert!(called.status.success(), "{called:?}");
    let again = second.load(&uri).await;
    assert_eq!(again["status"], "already-loaded");

    // Content from a mirror is shared again.
    let from_second = second.share().await;
    let third = Node::behind(address(&from_second));
    let loaded = third.load(&pinned).await;
    let hosts = &loaded["receipt"]["hosts_tried"];
    assert_eq!(*hosts, json!([address(&from_second)]));
}

#[tokio::test]
async fn an_index_is_passed_on_with_what_it_led_to() {
    let upstream = Registry::start();
    let (ours, theirs) = (answer(), Artifact::new(&[(WASM, &binary(EMPTY))]));
    upstream.push("answer", "manifest", &ours).await;
    upstream.push("answer", "other", &theirs).await;
    let index = index(&[(&ours, "wasip2", "wasm"), (&theirs, "linux", "amd64")]);
    let digest = upstream.push_manifest("answer", "v1", &index).await;
    let uri = upstream.reference("answer:v1");
    let first = Node::new();
    first.load(&uri).await;
    let shared = first.share().await;
    drop(upstream);

    let second = Node::behind(address(&shared));
    let loaded = second.load(&uri).await;
    assert_eq!(loaded["receipt"]["manifest_digest"], json!(ours.digest()));
    let named = get(&shared, "answer/manifests/v1").await;
    assert_eq!(named.headers()["docker-content-digest"], digest.to_string());
    // The other entries of the index were not pulled.
    let other = get(&shared, &format!("answer/manifests/{}", theirs.digest())).await;
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    const SIZE: usize = 4 * 1024 * 1024;
    let upstream = Registry::start();
    let wasm = with_section(binary(ANSWER), "padding", &vec![7; SIZE]);
    upstream
        .push("big", "v1", &Artifact::new(&[(WASM, &wasm)]))
        .await;
    let node = Node::new();
    node.load(&upstream.reference("big:v1")).await;
    let shared = node.share().await;
    let line = cut::after(SIZE / 2, address(&shared)).await;
    let fetched = Load::new().run(&format!("oci://{line}/big:v1")).await;
    let fetched = fetched.expect("the rest");
    assert_eq!(fetched.component.digest, Digest::of(&wasm));
    let resumed = fetched.receipt.bytes_resumed;
    assert!(resumed > 0 && resumed < wasm.len() as u64, "{resumed}");
}

#[tokio::test]
async fn a_container_tool_reads_and_copies() {
    let upstream = Registry::start();
    let artifact = answer();
    let digest = upstream.push("acme/answer", "v1", &artifact).await;
    // A config that plain `skopeo inspect` understands.
    let config = json!({
        "created": "2026-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip1",
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(&binary(ANSWER))] },
        "config": { "Labels": { "shared": "yes" } },
    });
    let image = Artifact::with_config(
        "application/vnd.oci.image.config.v1+json",
        config.to_string().into_bytes(),
        &[(WASM, &binary(ANSWER))],
    );
    upstream.push("acme/image", "v1", &image).await;
    let node = Node::new();
    node.load(&upstream.reference("acme/answer:v1")).await;
    node.load(&upstream.reference("acme/image:v1")).await;
    let shared = node.share().await;
    let host = address(&shared).to_owned();
    drop(upstream);

    let work = tempfile::tempdir().expect("a directory");
    let copied = work.path().to_owned();
    let manifest = artifact.bytes();
    let skopeo = move || {
        let of = |name: &str| format!("docker://{host}/{name}");
        let plain = "--tls-verify=false";
        let raw = skopeo(&["inspect", plain, "--raw", &of("acme/answer:v1")]);
        assert_eq!(raw, manifest);
        let image = skopeo(&["inspect", plain, &of("acme/image:v1")]);
        let image: serde_json::Value = serde_json::from_slice(&image).expect("JSON");
        assert_eq!(image["Labels"]["shared"], "yes");
        assert_eq!(image["RepoTags"], json!(["v1"]));
        let to = format!("oci:{}:v1", copied.display());
        let by_digest = of(&format!("acme/answer@{digest}"));
        for from in [of("acme/answer:v1"), by_digest] {
            let src = "--src-tls-verify=false";
            skopeo(&["copy", "--preserve-digests", src, &from, &to]);
        }
        let blobs = files(&copied.join("blobs/sha256"));
        let mut expected: Vec<String> =
            artifact.blobs.iter().map(|b| Digest::of(b).hex()).collect();
        expected.push(digest.hex());
        expected.sort();
        assert_eq!(blobs, expected);
    };
    tokio::task::spawn_blocking(skopeo).await.expect("skopeo");
    drop(work);
}

fn skopeo(args: &[&str]) -> Vec<u8> {
    let output = Command::new("skopeo")
        .arg("--insecure-policy")
        .args(args)
        .output()
        .expect("skopeo; install it: apt-get install -y skopeo");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {words}");
    output.stdout
}
