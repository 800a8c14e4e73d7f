//! Installed components, read over HTTP like those of any registry.

use std::fs;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wassette::digest::Digest;
use wassette::http::{HttpLimits, HttpOptions};
use wassette::policy::{NetworkRule, Permission};
use wassette::reference::ComponentId;
use wassette::service::Origin;
use wassette::share::Scope;

use crate::support::artifact::{Artifact, MANIFEST, WASM};
use crate::support::components::{ANSWER, binary, with_section};
use crate::support::http::InProcess;
use crate::support::mcp::HttpServer;
use crate::support::node::{Node, address, ask, get, refusal};
use crate::support::registry::Registry;
use crate::support::wait::within;

/// A node that has `acme/answer:v1` installed and shares it.
async fn sharing() -> (Registry, Artifact, Node, HttpServer) {
    let upstream = Registry::start();
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    upstream.push("acme/answer", "v1", &artifact).await;
    let node = Node::new();
    node.load(&upstream.reference("acme/answer:v1")).await;
    let server = node.share().await;
    (upstream, artifact, node, server)
}

#[tokio::test]
async fn documents_and_blobs_are_as_the_registry_had_them() {
    let (upstream, artifact, _node, server) = sharing().await;
    assert_eq!(get(&server, "").await.status(), StatusCode::OK);
    let digest = artifact.digest().to_string();
    for name in ["v1", &digest] {
        let path = format!("acme/answer/manifests/{name}");
        let response = get(&server, &path).await;
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], MANIFEST);
        assert_eq!(headers["docker-content-digest"], digest);
        assert_eq!(headers["etag"], format!("\"{digest}\""));
        assert_eq!(response.bytes().await.unwrap(), artifact.bytes());

        let head = ask(&server, Method::HEAD, &path, &[]).await;
        assert_eq!(head.status(), StatusCode::OK);
        for header in ["content-type", "content-length", "docker-content-digest"] {
            assert_eq!(head.headers()[header], headers[header], "{header}");
        }
        let held = [("if-none-match", headers["etag"].to_str().unwrap())];
        let unchanged = ask(&server, Method::GET, &path, &held).await;
        assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);
    }
    for blob in &artifact.blobs {
        let path = format!("acme/answer/blobs/{}", Digest::of(blob));
        let response = get(&server, &path).await;
        assert_eq!(response.headers()["accept-ranges"], "bytes");
        assert_eq!(response.bytes().await.unwrap(), *blob);
        let head = ask(&server, Method::HEAD, &path, &[]).await;
        assert_eq!(head.headers()["content-length"], blob.len().to_string());
    }
    let registry = upstream.address();
    for name in [
        "acme/answer".to_owned(),
        format!("{registry}/acme/answer"),
        format!("{}/acme/answer", registry.replace(':', "_")),
    ] {
        let listed: Value = json_of(&server, &format!("{name}/tags/list")).await;
        assert_eq!(listed, json!({ "name": name, "tags": ["v1"] }));
    }
    let ns = registry.replace(':', "%3A");
    let told = get(&server, &format!("acme/answer/manifests/v1?ns={ns}")).await;
    assert_eq!(told.status(), StatusCode::OK);
    let other = get(&server, "acme/answer/manifests/v1?ns=ghcr.io").await;
    assert_eq!(refusal(other).await, (404, "NAME_UNKNOWN".into()));
}

async fn json_of(server: &HttpServer, path: &str) -> Value {
    let text = get(server, path).await.text().await.unwrap();
    serde_json::from_str(&text).expect(&text)
}

#[tokio::test]
async fn one_range_of_a_blob_can_be_had() {
    let (_upstream, artifact, _node, server) = sharing().await;
    let wasm = &artifact.blobs[0];
    let (size, digest) = (wasm.len(), Digest::of(wasm));
    let path = format!("acme/answer/blobs/{digest}");
    let etag = format!("\"{digest}\"");
    let partial = |from: usize, to: usize| (206, Some(format!("bytes {from}-{to}/{size}")));
    for (range, if_range, (status, content_range)) in [
        ("bytes=2-5", None, partial(2, 5)),
        ("bytes=2-", Some(etag.as_str()), partial(2, size - 1)),
        ("bytes=-4", None, partial(size - 4, size - 1)),
        ("bytes=8-9999999", None, partial(8, size - 1)),
        ("bytes=2-5", Some("\"other\""), (200, None)),
        ("bytes=0-1,3-4", None, (200, None)),
        (
            "bytes=9999999-",
            None,
            (416, Some(format!("bytes */{size}"))),
        ),
    ] {
        let mut headers = vec![("range", range)];
        headers.extend(if_range.map(|tag| ("if-range", tag)));
        let response = ask(&server, Method::GET, &path, &headers).await;
        assert_eq!(response.status(), status, "{range}");
        let told = response.headers().get("content-range").cloned();
        let told = told.map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told, content_range, "{range}");
        let bytes = response.bytes().await.unwrap();
        let (from, to) = match &content_range {
            None => (0, size),
            Some(_) if status == 416 => (0, 0),
            Some(text) => {
                let (from, to) = text[6..]
                    .split_once('/')
                    .unwrap()
                    .0
                    .split_once('-')
                    .unwrap();
                (from.parse().unwrap(), to.parse::<usize>().unwrap() + 1)
            }
        };
        assert_eq!(bytes, wasm[from..to], "{range}");
    }
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_as_registries_do() {
    let (_upstream, artifact, node, server) = sharing().await;
    let manifest = artifact.digest();
    let unknown = Digest::of(b"unknown");
    for (path, status, code) in [
        ("acme/other/manifests/v1".into(), 404, "NAME_UNKNOWN"),
        ("acme/answer/manifests/v2".into(), 404, "MANIFEST_UNKNOWN"),
        (
            format!("acme/answer/manifests/{unknown}"),
            404,
            "MANIFEST_UNKNOWN",
        ),
        (format!("acme/answer/blobs/{unknown}"), 404, "BLOB_UNKNOWN"),
        // A manifest is no blob.
        (format!("acme/answer/blobs/{manifest}"), 404, "BLOB_UNKNOWN"),
        ("acme/answer/blobs/sha256:12".into(), 400, "DIGEST_INVALID"),
        ("acme/answer/manifests/md5:12".into(), 400, "DIGEST_INVALID"),
        ("ACME/answer/manifests/v1".into(), 400, "NAME_INVALID"),
        (
            format!("%2e%2e%2fanswer/blobs/{unknown}"),
            400,
            "NAME_INVALID",
        ),
        ("%ff/manifests/v1".into(), 400, "NAME_INVALID"),
        (
            "acme/answer/manifests/..%2f..%2fx".into(),
            404,
            "UNSUPPORTED",
        ),
        (
            format!("acme/answer/referrers/{manifest}"),
            404,
            "UNSUPPORTED",
        ),
        ("_catalog".into(), 404, "UNSUPPORTED"),
    ] {
        let response = get(&server, &path).await;
        assert_eq!(refusal(response).await, (status, code.into()), "{path}");
    }
    for (method, path) in [
        (Method::PUT, "acme/answer/manifests/v1"),
        (Method::DELETE, "acme/answer/manifests/v1"),
        (Method::POST, "acme/answer/blobs/uploads/"),
        (Method::PATCH, "acme/answer/blobs/uploads/x"),
        (Method::POST, ""),
    ] {
        let response = ask(&server, method.clone(), path, &[]).await;
        assert_eq!(response.headers()["allow"], "GET, HEAD");
        let refused = refusal(response).await;
        assert_eq!(refused, (405, "UNSUPPORTED".into()), "{method} {path}");
    }
    // Sent unchanged, because HTTP clients normalise paths.
    for path in [
        "/v2/../../config.toml/manifests/v1",
        "/v2/acme/../answer/manifests/v1",
        "/v2/%2e%2e/%2e%2e/config.toml/manifests/v1",
        "/v2//manifests/v1",
    ] {
        let answer = raw(&server, path).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
        assert!(answer.contains("NAME_INVALID"), "{path}: {answer}");
    }
    let page = [("origin", "https://evil.example")];
    let response = ask(&server, Method::GET, "", &page).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(node.component("answer").exists());
}

/// The raw answer to an unchanged path.
async fn raw(server: &HttpServer, path: &str) -> String {
    let mut stream = TcpStream::connect(address(server)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_changes_on_disk_counts_at_once() {
    let (upstream, old, node, server) = sharing().await;
    let name = "acme/answer/manifests/v1";
    assert_eq!(get(&server, name).await.bytes().await.unwrap(), old.bytes());

    let wasm = with_section(binary(ANSWER), "note", b"second");
    let new = Artifact::new(&[(WASM, &wasm)]);
    upstream.push("acme/answer", "v1", &new).await;
    let loaded = node.load(&upstream.reference("acme/answer:v1")).await;
    assert_eq!(loaded["status"], "replaced");
    assert_eq!(get(&server, name).await.bytes().await.unwrap(), new.bytes());
    let blob = format!("acme/answer/blobs/{}", Digest::of(&old.blobs[0]));
    assert_eq!(get(&server, &blob).await.status(), StatusCode::NOT_FOUND);
    let blob = format!("acme/answer/blobs/{}", Digest::of(&wasm));
    assert_eq!(get(&server, &blob).await.bytes().await.unwrap(), wasm);

    node.unload("answer").await;
    for path in [name, &blob, "acme/answer/tags/list"] {
        let refused = refusal(get(&server, path).await).await;
        assert_eq!(refused, (404, "NAME_UNKNOWN".into()), "{path}");
    }
}

#[tokio::test]
async fn a_flipped_byte_is_not_served() {
    let (_upstream, artifact, node, server) = sharing().await;
    let directory = node.component("answer");
    let manifest = format!("answer.blob-{}", artifact.digest().hex());
    let config = format!("answer.blob-{}", Digest::of(&artifact.blobs[1]).hex());
    let blob = |index: usize| format!("blobs/{}", Digest::of(&artifact.blobs[index]));
    for (file, path) in [
        (manifest, "manifests/v1".to_owned()),
        (config, blob(1)),
        ("answer.wasm".to_owned(), blob(0)),
    ] {
        let (file, path) = (directory.join(file), format!("acme/answer/{path}"));
        assert_eq!(get(&server, &path).await.status(), StatusCode::OK, "{path}");
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[10] ^= 1;
        fs::write(&file, &bytes).unwrap();
        // The modification time is restored, to hide the change.
        let changed = fs::File::options().append(true).open(&file).unwrap();
        changed.set_modified(modified).unwrap();
        let status = get(&server, &path).await.status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        bytes[10] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert_eq!(get(&server, &path).await.status(), StatusCode::OK, "{path}");
    }
    server.logged("answer.wasm` is not shared").await;
}

#[tokio::test]
async fn kept_files_survive_a_change_of_policy() {
    let upstream = Registry::start();
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    upstream.push("acme/answer", "v1", &artifact).await;
    let server = InProcess::start_sharing(HttpOptions::default(), Some(Scope::Public)).await;
    server.load_uri(&upstream.reference("acme/answer:v1")).await;
    let host = "api.example.com".parse().unwrap();
    let permission = Permission::Network(NetworkRule::Host(host));
    let id = ComponentId::parse("answer").unwrap();
    let report = server.service.grant(&id, permission, Origin::Cli).await;
    assert_eq!(report.unwrap().grants.len(), 1);
    for path in [
        "manifests/v1".to_owned(),
        format!("blobs/{}", Digest::of(&artifact.blobs[1])),
        format!("blobs/{}", Digest::of(&artifact.blobs[0])),
    ] {
        let url = format!("{}/v2/acme/answer/{path}", server.url);
        let response = Client::new().get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn kept_files_are_verified_and_those_of_no_use_taken_away() {
    let (_upstream, artifact, node, server) = sharing().await;
    let verify = || node.run(&["cache", "verify", "-o", "json"]);
    let sound = verify().await;
    assert!(sound.status.success(), "{sound:?}");
    let config = Digest::of(&artifact.blobs[1]);
    let path = format!("acme/answer/blobs/{config}");
    assert_eq!(get(&server, &path).await.status(), StatusCode::OK);

    let directory = node.component("answer");
    let file = directory.join(format!("answer.blob-{}", config.hex()));
    fs::write(&file, b"{}").unwrap();
    let damaged = verify().await;
    assert_eq!(damaged.status.code(), Some(5), "{damaged:?}");
    let report: Value = serde_json::from_slice(&damaged.stdout).unwrap();
    let faults = report["components"][0]["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{report}");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(faults[0]["file"], name);
    let repaired = node.run(&["cache", "verify", "--repair"]).await;
    assert!(repaired.status.success(), "{repaired:?}");
    assert!(verify().await.status.success());
    assert_eq!(get(&server, &path).await.status(), StatusCode::NOT_FOUND);
    let called = node.run(&["call", "answer"]).await;
    assert!(called.status.success(), "{called:?}");
}

#[tokio::test]
async fn tags_come_in_pages() {
    let (upstream, artifact, node, server) = sharing().await;
    for tag in ["v2", "v3"] {
        upstream.push("acme/answer", tag, &artifact).await;
        let uri = upstream.reference(&format!("acme/answer:{tag}"));
        let id = format!("answer-{tag}");
        let loaded = node.run(&["load", "--uri", &uri, "--name", &id]).await;
        assert!(loaded.status.success(), "{loaded:?}");
    }
    let first = get(&server, "acme/answer/tags/list?n=2").await;
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    assert_eq!(
        link,
        "</v2/acme/answer/tags/list?n=2&last=v2>; rel=\"next\""
    );
    assert!(first.text().await.unwrap().contains(r#"["v1","v2"]"#));
    let rest = get(&server, "acme/answer/tags/list?n=2&last=v2").await;
    assert!(rest.headers().get("link").is_none());
    assert!(rest.text().await.unwrap().contains(r#"["v3"]"#));
}

#[tokio::test]
async fn downloads_are_bounded_and_take_little_memory() {
    const SIZE: usize = 32 * 1024 * 1024;
    let upstream = Registry::start();
    let wasm = with_section(binary(ANSWER), "padding", &vec![7; SIZE]);
    upstream
        .push("big", "v1", &Artifact::new(&[(WASM, &wasm)]))
        .await;
    let uri = upstream.reference("big:v1");
    let limits = HttpLimits {
        downloads: 1,
        ..HttpLimits::default()
    };
    let options = HttpOptions {
        limits,
        ..HttpOptions::default()
    };
    let server = InProcess::start_sharing(options, Some(Scope::Public)).await;
    server.load_uri(&uri).await;
    let url = format!("{}/v2/big/blobs/{}", server.url, Digest::of(&wasm));
    let http = Client::new();
    let held = http.get(&url).send().await.unwrap();
    assert_eq!(held.status(), StatusCode::OK);
    let second = http.get(&url).send().await.unwrap();
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(refusal(second).await, (503, "TOOMANYREQUESTS".into()));
    drop(held);
    let free = async {
        while http.get(&url).send().await.unwrap().status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the place comes free", free).await;

    let node = Node::new();
    node.load(&uri).await;
    let server = node.share().await;
    let path = format!("big/blobs/{}", Digest::of(&wasm));
    let all = (0..8).map(|_| async {
        let bytes = get(&server, &path).await.bytes().await.unwrap();
        assert_eq!(bytes.len(), wasm.len());
    });
    futures_util::future::join_all(all).await;
    #[cfg(target_os = "linux")]
    assert!(
        server.peak_memory() < 3 * SIZE as u64,
        "{}",
        server.peak_memory()
    );
}
