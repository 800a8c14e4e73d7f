//! `wassette key` and `wassette sign`, verified by other libraries.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wassette::digest::Digest;

use crate::support::certificates::Certificates;
use crate::support::components::{ANSWER, binary};
use crate::support::installed::client;
use crate::support::node::Node;
use crate::support::registry;
use crate::support::signing::Key;

use super::{Registries, component, done, push, refused, text};

const PASSWORD: &str = "correct horse";

/// The result of other libraries.
fn others(asked: &Value) -> Value {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut node = client("node")
        .arg(here.join("tests/clients/signed.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = node.stdin.take().expect("it is piped");
    stdin
        .write_all(asked.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = node.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{asked}: {words}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Verifies a bundle with Sigstore's JavaScript library; returns the statement.
fn verified_by_others(bundle: &Value, public: &Path, artifact: Option<&[u8]>) -> Value {
    let asked = json!({
        "bundle": bundle,
        "publicKey": std::fs::read_to_string(public).expect("a key"),
        "hint": bundle["verificationMaterial"]["publicKey"]["hint"],
        "artifact": artifact.map(|bytes| STANDARD.encode(bytes)),
    });
    others(&asked)["payload"].clone()
}

/// Runs a command in the directory of the test's files.
async fn run(node: &Node, args: &[&str], password: Option<&str>, input: &str) -> Output {
    let mut command = node.place.wassette(args);
    command
        .current_dir(node.place.path(""))
        .env("HOME", node.place.path(""))
        .env_remove("WASSETTE_REGISTRY_AUTH")
        .env_remove("COSIGN_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(password) = password {
        command.env("COSIGN_PASSWORD", password);
    }
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may end without reading.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.expect("it ends")
}

async fn signed(node: &Node, args: &[&str]) -> Value {
    let args = [args, &["-o", "json"]].concat();
    let output = run(node, &args, Some(PASSWORD), "").await;
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {words}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

async fn generated() -> Node {
    let node = Node::new();
    signed(&node, &["key", "generate", "acme"]).await;
    node
}

#[tokio::test]
async fn a_key_pair_is_what_others_can_read() {
    let node = generated().await;
    let [private, public] = ["acme.key", "acme.pub"].map(|name| node.place.path(name));
    let private_text = std::fs::read_to_string(&private).expect("a key");
    let public_text = std::fs::read_to_string(&public).expect("a key");
    let opened = others(&json!({ "privateKey": private_text, "password": PASSWORD }));
    assert_eq!(opened["publicKey"], public_text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&private)
            .expect("a key")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Nothing is overwritten, not even one file of a pair.
    std::fs::remove_file(&private).expect("removed");
    let output = run(&node, &["key", "generate", "acme"], Some(PASSWORD), "").await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!private.exists());
    // Without the variable the password is a line of the input.
    let output = run(&node, &["key", "generate", "other"], None, "on a line\n").await;
    assert!(output.status.success(), "{output:?}");
    let other = std::fs::read_to_string(node.place.path("other.key")).expect("a key");
    others(&json!({ "privateKey": other, "password": "on a line" }));
}

#[tokio::test]
async fn what_is_signed_counts_here_and_elsewhere() {
    let registries = Registries::start().await;
    for reference in registries.references("acme/answer") {
        let node = generated().await;
        let public = node.place.path("acme.pub");
        let digest = push(&reference, &component()).await;
        let tagged = format!("{reference}:v1");
        let verify = ["verify", &tagged, "--key", text(&public)];
        let (code, _) = refused(&node, &verify).await;
        assert_eq!(code, "signature-required");
        let told = signed(&node, &["sign", &tagged, "--key", "acme.key", "--yes"]).await;
        assert_eq!(told["digest"], digest.to_string(), "{told}");
        assert_eq!(told["stored"].as_array().map(Vec::len), Some(1), "{told}");
        done(&node, &verify).await;
        let loaded = done(&node, &["load", &tagged, "--key", text(&public)]).await;
        let signer = &loaded["receipt"]["trust"]["signer"];
        assert_eq!(signer["fingerprint"], told["key"], "{loaded}");

        let evidence = node.component("answer").join("answer.evidence.json");
        let evidence = std::fs::read_to_string(evidence).expect("evidence");
        let evidence: Value = serde_json::from_str(&evidence).expect("JSON");
        let bundle = evidence["material"]["bundle"].as_str().expect("a bundle");
        let bundle: Value = serde_json::from_str(bundle).expect("JSON");
        let statement = verified_by_others(&bundle, &public, None);
        assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.hex());

        let pinned = format!("{reference}@{}", Digest::of(b"another"));
        let args = ["sign", &pinned, "--key", "acme.key", "-o", "json"];
        let output = run(&node, &args, Some(PASSWORD), "").await;
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
}

#[tokio::test]
async fn cosigns_first_format_is_added_to_what_is_there() {
    let registries = Registries::start().await;
    for reference in registries.references("acme/answer") {
        let node = generated().await;
        signed(&node, &["key", "generate", "second"]).await;
        let digest = push(&reference, &component()).await;
        let tagged = format!("{reference}:v1");
        for key in ["acme.key", "second.key"] {
            let told = signed(&node, &["sign", &tagged, "--key", key, "--legacy"]).await;
            assert_eq!(told["stored"].as_array().map(Vec::len), Some(2), "{told}");
        }
        let address = reference.replace("oci://", "http://");
        let (host, name) = address.split_at(address.find("/acme").expect("a repository"));
        let get = async |path: String| {
            let accept = "application/vnd.oci.image.manifest.v1+json";
            let request = registry::client().get(format!("{host}/v2{name}/{path}"));
            let answer = request
                .header("accept", accept)
                .send()
                .await
                .expect("an answer");
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            answer.bytes().await.expect("a body")
        };
        let manifest = get(format!("manifests/sha256-{}.sig", digest.hex())).await;
        let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        let layers = manifest["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 2, "{manifest}");
        for (layer, key) in layers.iter().zip(["acme.pub", "second.pub"]) {
            let payload = get(format!("blobs/{}", layer["digest"].as_str().unwrap())).await;
            let told: Value = serde_json::from_slice(&payload).expect("JSON");
            let image = &told["critical"]["image"]["docker-manifest-digest"];
            assert_eq!(*image, digest.to_string());
            let signature = layer["annotations"]["dev.cosignproject.cosign/signature"].as_str();
            let signature = STANDARD
                .decode(signature.expect("a signature"))
                .expect("base64");
            openssl_verifies(&node, key, &payload, &signature);
        }
        // The signature is also sufficient alone.
        let moved = push(&format!("{reference}-copy"), &component()).await;
        assert_eq!(moved, digest);
        let pusher = crate::support::pusher::Pusher::new();
        let copy = format!("{reference}-copy");
        let writer = pusher.to(&format!("{copy}:v1"));
        for layer in layers.iter().chain([&manifest["config"]]) {
            let blob = get(format!("blobs/{}", layer["digest"].as_str().unwrap())).await;
            pusher.push_blob(&copy, &blob).await.expect("a push");
        }
        let bytes = serde_json::to_vec(&manifest).expect("JSON").into();
        let tag = format!("sha256-{}.sig", digest.hex());
        writer
            .put_manifest(&bytes, Some(&tag))
            .await
            .expect("a push");
        let public = node.place.path("second.pub");
        let report = done(
            &node,
            &["verify", &format!("{copy}:v1"), "--key", text(&public)],
        )
        .await;
        let found = report["signatures"].to_string();
        assert!(found.contains("cosign signature"), "{report}");
    }
}

fn openssl_verifies(node: &Node, key: &str, message: &[u8], signature: &[u8]) {
    std::fs::write(node.place.path("message"), message).expect("written");
    std::fs::write(node.place.path("signature"), signature).expect("written");
    let output = std::process::Command::new("openssl")
        .args([
            "dgst",
            "-sha256",
            "-verify",
            key,
            "-signature",
            "signature",
            "message",
        ])
        .current_dir(node.place.path(""))
        .output()
        .expect("openssl");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_file_is_signed_beside_it() {
    let node = generated().await;
    let (file, public) = (node.place.path("x.wasm"), node.place.path("acme.pub"));
    let bytes = binary(ANSWER);
    std::fs::write(&file, &bytes).expect("written");
    for _ in 0..2 {
        let told = signed(&node, &["sign", "x.wasm", "--key", "acme.key"]).await;
        assert_eq!(told["digest"], Digest::of(&bytes).to_string());
    }
    let verify = ["verify", text(&file), "--key", text(&public)];
    done(&node, &verify).await;
    let bundle = std::fs::read(node.place.path("x.wasm.sigstore.json")).expect("a bundle");
    let bundle: Value = serde_json::from_slice(&bundle).expect("JSON");
    verified_by_others(&bundle, &public, Some(&bytes));
    std::fs::write(&file, [&bytes[..], b"\0"].concat()).expect("written");
    let (code, _) = refused(&node, &verify).await;
    assert_eq!(code, "signature-rejected");
    for (source, code) in [("absent.wasm", 3), ("https://localhost:1/x.wasm", 2)] {
        let output = run(
            &node,
            &["sign", source, "--key", "acme.key"],
            Some(PASSWORD),
            "",
        )
        .await;
        assert_eq!(output.status.code(), Some(code), "{source}: {output:?}");
    }
}

#[tokio::test]
async fn a_password_has_three_tries() {
    let node = generated().await;
    std::fs::write(node.place.path("x.wasm"), binary(ANSWER)).expect("written");
    let args = ["sign", "x.wasm", "--key", "acme.key"];
    for (variable, input, opens) in [
        (Some("wrong"), "correct horse\n", false),
        (None, "correct horse\n", true),
        (None, "a\nb\ncorrect horse\n", true),
        (None, "a\nb\nc\ncorrect horse\n", false),
        (None, "a\n", false),
        (None, "", false),
    ] {
        let output = run(&node, &args, variable, input).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), opens, "{input:?}: {told}");
        assert_eq!(node.place.path("x.wasm.sigstore.json").exists(), opens);
        if !opens {
            assert_eq!(output.status.code(), Some(2));
            assert!(told.contains("the password does not open it"), "{told}");
        }
        let _ = std::fs::remove_file(node.place.path("x.wasm.sigstore.json"));
    }
}

#[tokio::test]
async fn keys_of_others_sign_and_what_is_no_key_is_told() {
    let node = generated().await;
    std::fs::write(node.place.path("x.wasm"), binary(ANSWER)).expect("written");
    let theirs = others(&json!({ "password": PASSWORD, "cost": 65_536 }));
    let private = theirs["privateKey"].as_str().expect("a key");
    std::fs::write(node.place.path("theirs.key"), private).expect("written");
    let public = theirs["publicKey"].as_str().expect("a key");
    std::fs::write(node.place.path("theirs.pub"), public).expect("written");
    signed(&node, &["sign", "x.wasm", "--key", "theirs.key"]).await;
    let (file, public) = (node.place.path("x.wasm"), node.place.path("theirs.pub"));
    done(&node, &["verify", text(&file), "--key", text(&public)]).await;

    let encrypted = |json: &Value| {
        let body = STANDARD.encode(json.to_string());
        let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    };
    let form = |kdf: &str, n: u64, nonce: &str| {
        encrypted(&json!({
            "kdf": { "name": kdf, "params": { "N": n, "r": 8, "p": 1 }, "salt": "AAAA" },
            "cipher": { "name": "nacl/secretbox", "nonce": nonce },
            "ciphertext": "AAAA",
        }))
    };
    let nonce = STANDARD.encode([0; 24]);
    let bare = std::fs::read_to_string(Key::new("P-256").private()).expect("a key");
    let certificate = Certificates::new();
    let certificate = std::fs::read_to_string(certificate.authority()).expect("a certificate");
    for (content, words) in [
        (
            std::fs::read_to_string(&public).expect("a key"),
            "it is a public key",
        ),
        (certificate, "it is a certificate"),
        (bare, "not encrypted with a password"),
        ("no key\n".to_owned(), "no PEM file"),
        (String::new(), "no PEM file"),
        (encrypted(&json!({})), "it is damaged"),
        (
            form("pbkdf2", 32_768, &nonce),
            "`pbkdf2`, which is not known",
        ),
        (form("scrypt", 1 << 40, &nonce), "too much memory"),
        (form("scrypt", 1000, &nonce), "too much memory"),
        (form("scrypt", 0, &nonce), "too much memory"),
        (form("scrypt", 32_768, "AAAA"), "it is damaged"),
        (
            form("scrypt", 32_768, &nonce),
            "the password does not open it",
        ),
    ] {
        std::fs::write(node.place.path("bad.key"), &content).expect("written");
        let args = ["sign", "x.wasm", "--key", "bad.key"];
        let output = run(&node, &args, Some(PASSWORD), "").await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{content}: {told}");
        assert!(told.contains(words), "{content}: {told}");
        assert!(!told.contains(PASSWORD), "{told}");
    }
    let args = ["sign", "x.wasm", "--key", "absent.key"];
    let output = run(&node, &args, Some(PASSWORD), "").await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[tokio::test]
#[cfg(unix)]
async fn a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let node = generated().await;
    std::fs::write(node.place.path("x.wasm"), binary(ANSWER)).expect("written");
    for (mode, warns) in [(0o600, false), (0o640, true), (0o604, true)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(node.place.path("acme.key"), permissions).expect("set");
        let args = ["sign", "x.wasm", "--key", "acme.key"];
        let output = run(&node, &args, Some(PASSWORD), "").await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert_eq!(
            told.contains("other users can read"),
            warns,
            "{mode:o}: {told}"
        );
    }
}
