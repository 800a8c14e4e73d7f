//! Pushes to real registries, read back by other programs.

use std::process::Command;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use wassette::digest::Digest;
use wassette::registry::{BlobContent, BlobUpload, CredentialOptions, Uploaded};

use crate::support::Load;
use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::components::{ANSWER, binary, padded};
use crate::support::pusher::{Ferro, Pusher};
use crate::support::registry::Registry;

fn answer() -> Artifact {
    Artifact::new(&[
        (WASM, &binary(ANSWER)),
        (POLICY, b"version: \"1.0\"\npermissions: {}\n"),
    ])
}

#[tokio::test]
async fn what_is_pushed_is_pulled_again() {
    let (docker, ferro) = (Registry::start(), Ferro::start().await);
    for reference in [
        docker.reference("acme/answer:v1"),
        ferro.reference("acme/answer:v1"),
    ] {
        let pusher = Pusher::new();
        let digest = pusher.push(&reference, &answer()).await.expect("a push");
        assert_eq!(digest, answer().digest());
        let fetched = Load::new().run(&reference).await.expect("a pull");
        assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
        let artifact = fetched.artifact.expect("an artifact");
        assert_eq!(artifact.manifest_digest, digest);
        assert!(fetched.policy.is_some());
    }
}

#[tokio::test]
async fn skopeo_reads_what_was_pushed() {
    let registry = Registry::start();
    let reference = registry.reference("acme/answer:v1");
    let pushed = Pusher::new().push(&reference, &answer()).await;
    pushed.expect("a push");
    let image = format!("docker://{}/acme/answer:v1", registry.address());
    let skopeo = move || {
        Command::new("skopeo")
            .args([
                "--insecure-policy",
                "inspect",
                "--tls-verify=false",
                "--raw",
            ])
            .arg(image)
            .output()
            .expect("skopeo; install it: apt-get install -y skopeo")
    };
    let raw = tokio::task::spawn_blocking(skopeo).await.expect("no panic");
    assert!(raw.status.success(), "{raw:?}");
    assert_eq!(raw.stdout, answer().bytes());
}

#[tokio::test]
async fn another_client_reads_what_was_pushed() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = oci_client::Client::new(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    });
    let (docker, ferro) = (Registry::start(), Ferro::start().await);
    for reference in [
        docker.reference("acme/answer:v1"),
        ferro.reference("acme/answer:v1"),
    ] {
        let digest = Pusher::new().push(&reference, &answer()).await;
        let reference = reference.trim_start_matches("oci://");
        let reference = reference.parse().expect("a reference");
        let image = client.pull(&reference, &RegistryAuth::Anonymous, vec![WASM, POLICY]);
        let image = image.await.expect("a pull");
        assert_eq!(image.digest, Some(digest.expect("a push").to_string()));
        // The library downloads layers in parallel, and lists them as they arrive.
        let mut layers = image.layers.iter().map(|layer| &layer.data);
        assert!(layers.any(|data| *data == binary(ANSWER)));
    }
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    let registry = Registry::start();
    let reference = registry.reference("acme/answer:v1");
    let pusher = Pusher::new();
    let blob = padded(100_000);
    let sent = pusher.push_blob(&reference, &blob).await.expect("a push");
    assert_eq!(sent, Uploaded::Sent);
    let before = pusher.transfer.meter.requests();
    let again = pusher.push_blob(&reference, &blob).await.expect("a push");
    assert_eq!(again, Uploaded::Present);
    assert_eq!(pusher.transfer.meter.requests(), before + 1);
}

#[tokio::test]
async fn a_blob_of_another_repository_is_mounted() {
    let registry = Registry::start();
    let pusher = Pusher::new();
    let blob = BlobUpload::of_bytes(padded(10_000).into());
    let first = pusher.to(&registry.reference("acme/first:v1"));
    first.put_blob(&blob, None).await.expect("a push");
    let second = pusher.to(&registry.reference("acme/second:v1"));
    let mounted = second.put_blob(&blob, Some("acme/first")).await;
    assert_eq!(mounted.expect("a push"), Uploaded::Mounted);
    // For a registry that does not mount, the blob is sent.
    let ferro = Ferro::start().await;
    let writer = pusher.to(&ferro.reference("acme/second:v1"));
    let sent = writer.put_blob(&blob, Some("acme/first")).await;
    assert_eq!(sent.expect("a push"), Uploaded::Sent);
}

#[tokio::test]
async fn a_file_is_read_while_it_is_sent() {
    let registry = Registry::start();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("blob");
    let bytes = padded(3_000_000);
    std::fs::write(&path, &bytes).expect("written");
    let blob = BlobUpload {
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
        content: BlobContent::File(path),
    };
    let pusher = Pusher::new();
    let writer = pusher.to(&registry.reference("acme/large:v1"));
    let sent = writer.put_blob(&blob, None).await.expect("a push");
    assert_eq!(sent, Uploaded::Sent);
    assert!(writer.has_blob(blob.digest).await.expect("an answer"));
}

#[tokio::test]
async fn a_login_opens_a_registry_for_pushes() {
    let open = Registry::start();
    let guarded = open.beside_with_login("alice", "s3cret");
    let reference = guarded.reference("acme/answer:v1");
    let refused = Pusher::new().push(&reference, &answer()).await;
    let error = refused.expect_err("no credentials");
    assert!(error.to_string().contains("401"), "{error}");
    let pusher = Pusher::with(CredentialOptions {
        registry_auth: Some(format!("{}:alice:s3cret", guarded.address()).into()),
        ..CredentialOptions::default()
    });
    pusher.push(&reference, &answer()).await.expect("a push");
}

#[tokio::test]
async fn a_manifest_is_deleted_with_its_tags() {
    let registry = Registry::start();
    let reference = registry.reference("acme/answer:v1");
    let pusher = Pusher::new();
    let digest = pusher.push(&reference, &answer()).await.expect("a push");
    let writer = pusher.to(&reference);
    writer.delete_manifest(digest).await.expect("deleted");
    writer.delete_manifest(digest).await.expect("still deleted");
    Load::new().fails(&reference).await;
}
