//! Private components are not shared, unless the operator allows it.

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::Method;
use serde_json::Value;
use wassette::digest::Digest;

use crate::support::archive::gzip;
use crate::support::artifact::{Artifact, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::mcp::HttpServer;
use crate::support::node::{Node, address, ask, get, refusal};
use crate::support::registry::Registry;

const TOKEN: &str = "alice-7f3c9a52e1b84d06";
const MANIFEST: &str = "acme/answer/manifests/v1";

fn answer() -> Artifact {
    Artifact::new(&[(WASM, &binary(ANSWER))])
}

async fn is_shared(server: &HttpServer) -> bool {
    let response = get(server, MANIFEST).await;
    if response.status() == 200 {
        return true;
    }
    assert_eq!(refusal(response).await, (404, "NAME_UNKNOWN".into()));
    false
}

#[tokio::test]
async fn what_credentials_opened_is_shared_on_request_only() {
    let open = Registry::start();
    open.push("acme/answer", "v1", &answer()).await;
    let closed = open.beside_with_login("alice", "s3cret");
    let uri = closed.reference("acme/answer:v1");
    let credentials = format!("{}:alice:s3cret", closed.address());
    let node = Node::new();
    let loaded = node.load_with(&uri, Some(&credentials)).await;
    assert_eq!(loaded["receipt"]["openness"], "private");

    let server = node.share().await;
    assert!(!is_shared(&server).await);
    let digest = Digest::of(&binary(ANSWER));
    let blob = get(&server, &format!("acme/answer/blobs/{digest}")).await;
    assert_eq!(refusal(blob).await, (404, "NAME_UNKNOWN".into()));
    server.logged("--share-private").await;
    let server = node.place.http(&["--share", "--share-private"]).await;
    assert!(is_shared(&server).await);

    // Credentials that exist but were not needed do not make a component private.
    let node = Node::new();
    let needless = format!("{}:alice:s3cret", open.address());
    let uri = open.reference("acme/answer:v1");
    let loaded = node.load_with(&uri, Some(&needless)).await;
    assert_eq!(loaded["receipt"]["openness"], "public");
    assert!(is_shared(&node.share().await).await);
}

#[tokio::test]
async fn what_was_pulled_before_this_was_noted_is_private() {
    let upstream = Registry::start();
    upstream.push("acme/answer", "v1", &answer()).await;
    let node = Node::new();
    node.load(&upstream.reference("acme/answer:v1")).await;
    let file = node.component("answer").join("answer.metadata.json");
    let mut metadata: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let fields = metadata.as_object_mut().unwrap();
    fields["receipt"]
        .as_object_mut()
        .unwrap()
        .remove("openness")
        .unwrap();
    // A format without checksums.
    fields.remove("checksum");
    fields["format"] = 1.into();
    fs::write(&file, metadata.to_string()).unwrap();
    assert!(!is_shared(&node.share().await).await);
    let server = node.place.http(&["--share", "--share-private"]).await;
    assert!(is_shared(&server).await);
}

#[tokio::test]
async fn nothing_is_shared_unless_it_is_asked_for() {
    let upstream = Registry::start();
    upstream.push("acme/answer", "v1", &answer()).await;
    let node = Node::new();
    node.load(&upstream.reference("acme/answer:v1")).await;
    let server = node.place.http(&[]).await;
    for path in ["", MANIFEST] {
        assert_eq!(get(&server, path).await.status(), 404);
    }
    let over_stdio = node.run(&["serve", "--share"]).await;
    assert_eq!(over_stdio.status.code(), Some(2));
    let said = String::from_utf8_lossy(&over_stdio.stderr);
    assert!(said.contains("--transport"), "{said}");
    let alone = node
        .run(&["serve", "--transport", "sse", "--share-private"])
        .await;
    assert_eq!(alone.status.code(), Some(2));
}

#[tokio::test]
async fn files_and_packed_artifacts_are_not_shared_and_the_log_says_why() {
    let upstream = Registry::start();
    let packed = Artifact::new(&[("application/wasm+gzip", &gzip(&binary(ANSWER)))]);
    upstream.push("acme/answer", "v1", &packed).await;
    let node = Node::new();
    node.load(&upstream.reference("acme/answer:v1")).await;
    let file = node.place.component("file.wat", ANSWER);
    let loaded = node.run(&["load", "--uri", &file, "--name", "file"]).await;
    assert!(loaded.status.success(), "{loaded:?}");
    let server = node.share().await;
    assert!(!is_shared(&server).await);
    let said = server.logged("`answer` is not shared").await;
    assert!(said.contains("packed"), "{said}");
}

#[tokio::test]
async fn a_repository_of_two_registries_wants_a_full_name() {
    let (first, second) = (Registry::start(), Registry::start());
    let node = Node::new();
    for (registry, id) in [(&first, "one"), (&second, "two")] {
        registry.push("acme/answer", "v1", &answer()).await;
        let uri = registry.reference("acme/answer:v1");
        let loaded = node.run(&["load", "--uri", &uri, "--name", id]).await;
        assert!(loaded.status.success(), "{loaded:?}");
    }
    let server = node.share().await;
    assert!(!is_shared(&server).await);
    for registry in [&first, &second] {
        let host = registry.address();
        let told = get(&server, &format!("{MANIFEST}?ns={host}")).await;
        assert_eq!(told.status(), 200);
        let full = get(&server, &format!("{}/{MANIFEST}", host.replace(':', "_"))).await;
        assert_eq!(full.status(), 200);
    }
}

#[tokio::test]
async fn with_tokens_a_registry_client_shows_one_as_a_password() {
    let upstream = Registry::start();
    upstream.push("acme/answer", "v1", &answer()).await;
    let uri = upstream.reference("acme/answer:v1");
    let node = Node::new();
    node.load(&uri).await;
    let file = node.place.secret("token", TOKEN);
    let server = node
        .place
        .http(&["--share", "--auth-token-file", &file])
        .await;
    drop(upstream);

    let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
    for shown in [None, Some(basic("any:wrong")), Some("Bearer wrong".into())] {
        let headers = shown.iter().map(|value| ("authorization", value.as_str()));
        let headers: Vec<_> = headers.collect();
        for path in ["", MANIFEST, "elsewhere"] {
            let response = ask(&server, Method::GET, path, &headers).await;
            let challenge = response.headers()["www-authenticate"].clone();
            assert_eq!(challenge, "Basic realm=\"wassette\"");
            assert_eq!(refusal(response).await, (401, "UNAUTHORIZED".into()));
        }
        let write = ask(&server, Method::PUT, MANIFEST, &headers).await;
        assert_eq!(write.status(), 401);
    }
    for shown in [basic(&format!("any:{TOKEN}")), format!("Bearer {TOKEN}")] {
        let headers = [("authorization", shown.as_str())];
        let response = ask(&server, Method::GET, MANIFEST, &headers).await;
        assert_eq!(response.status(), 200);
    }

    let host = address(&server);
    let second = Node::behind(host);
    let refused = second.run(&["load", "--uri", &uri]).await;
    assert!(!refused.status.success());
    let credentials = format!("{host}:node:{TOKEN}");
    let loaded = second.load_with(&uri, Some(&credentials)).await;
    assert_eq!(loaded["receipt"]["openness"], "private");
    assert!(!is_shared(&second.share().await).await);
    assert!(!server.log().join("\n").contains(TOKEN));
}
