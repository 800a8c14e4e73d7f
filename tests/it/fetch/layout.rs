//! Artifacts in OCI image layouts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use wassette::digest::Digest;
use wassette::error::{Class, Diagnose};
use wassette::fetch::{FetchOptions, Identity};
use wassette::net::Network;

use crate::support::Load;
use crate::support::archive::{file, gzip, tar};
use crate::support::artifact::{Artifact, MANIFEST, POLICY, WASM, descriptor, index};
use crate::support::components::{ANSWER, EMPTY, binary, padded};
use crate::support::registry::Registry;

/// A layout written by the test.
struct Written {
    dir: TempDir,
    entries: Vec<Value>,
}

impl Written {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::create_dir_all(dir.path().join("blobs/sha256")).expect("a directory");
        let written = Written {
            dir,
            entries: Vec::new(),
        };
        written.marker("1.0.0");
        written
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn marker(&self, version: &str) {
        let marker = json!({ "imageLayoutVersion": version }).to_string();
        fs::write(self.path().join("oci-layout"), marker).expect("written");
    }

    fn blob(&self, content: &[u8]) -> PathBuf {
        let path = self.path().join("blobs/sha256");
        let path = path.join(Digest::of(content).hex());
        fs::write(&path, content).expect("written");
        path
    }

    fn add(&mut self, tag: &str, artifact: &Artifact) {
        for blob in &artifact.blobs {
            self.blob(blob);
        }
        self.add_document(tag, &artifact.manifest);
    }

    fn add_document(&mut self, tag: &str, document: &Value) {
        let bytes = document.to_string().into_bytes();
        self.blob(&bytes);
        let mut entry = descriptor(MANIFEST, &bytes);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        self.entries.push(entry);
        self.index(&json!({ "schemaVersion": 2, "manifests": self.entries }));
    }

    fn index(&self, index: &Value) {
        fs::write(self.path().join("index.json"), index.to_string()).expect("written");
    }

    fn reference(&self, tag: &str) -> String {
        format!("oci-layout://{}{tag}", self.path().display())
    }
}

fn offline() -> Load {
    Load::with(FetchOptions {
        net: wassette::net::Options {
            network: Network::Off,
            ..Default::default()
        },
        ..FetchOptions::default()
    })
}

#[tokio::test]
async fn skopeo_carries_a_component_over_an_air_gap() {
    let registry = Registry::start();
    let wasm = padded(1_000_000);
    let artifact = Artifact::new(&[(WASM, &wasm), (POLICY, b"version: \"1.0\"\n")]);
    let digest = registry.push("acme/answer", "v1", &artifact).await;
    let empty = Artifact::new(&[(WASM, &binary(EMPTY))]);
    registry.push("acme/answer", "v2", &empty).await;

    let stick = TempDir::new().expect("a directory");
    let layout = stick.path().join("answer");
    for tag in ["v1", "v2"] {
        let copied = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--src-tls-verify=false"])
            .arg(format!("docker://{}/acme/answer:{tag}", registry.address()))
            .arg(format!("oci:{}:{tag}", layout.display()))
            .output();
        let copied = copied.expect("skopeo; install it: apt-get install -y skopeo");
        assert!(copied.status.success(), "{copied:?}");
    }
    drop(registry);

    let load = offline();
    let reference = format!("oci-layout://{}:v1", layout.display());
    let fetched = load.run(&reference).await.expect("a component");
    assert!(fs::read(&fetched.component.path).expect("staged") == wasm);
    assert_eq!(load.staged(), ["component.wasm"]);
    assert_eq!(fetched.policy.as_deref(), Some("version: \"1.0\"\n"));
    assert!(
        matches!(fetched.identity, Identity::Oci { manifest_digest } if manifest_digest == digest)
    );
    let pulled = fetched.artifact.expect("an artifact");
    assert_eq!(pulled.manifest_digest, digest);
    assert_eq!(
        pulled.config.expect("a config").layer_digests,
        pulled.layer_digests
    );
    assert_eq!(fetched.receipt.requests, 0);
    assert_eq!(fetched.receipt.source_host, None);
    assert_eq!(fetched.reference.to_string(), reference);
    let id = fetched.reference.default_id().expect("an id");
    assert_eq!(id.as_str(), "answer");

    let pinned = format!("oci-layout://{}@{digest}", layout.display());
    let fetched = load.run(&pinned).await.expect("a component");
    assert_eq!(fetched.component.digest, Digest::of(&wasm));
}

#[tokio::test]
async fn without_a_tag_there_must_be_one_artifact() {
    let mut layout = Written::new();
    layout.add("v1", &Artifact::new(&[(WASM, &binary(ANSWER))]));
    let fetched = Load::new().run(&layout.reference("")).await;
    assert_eq!(
        fetched.expect("one").component.digest,
        Digest::of(&binary(ANSWER))
    );

    layout.add("v2", &Artifact::new(&[(WASM, &binary(EMPTY))]));
    let error = Load::new().fails(&layout.reference("")).await;
    assert_eq!(error.code(), "invalid-layout");
    let text = wassette::error::Report::new(&error).to_string();
    assert!(text.contains("v1, v2"), "{text}");
    let error = Load::new().fails(&layout.reference(":v3")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("not-found", Class::NotFound)
    );
}

#[tokio::test]
async fn packed_layers_and_indexes_are_read_as_from_a_registry() {
    let mut layout = Written::new();
    let wasm = binary(ANSWER);
    let archive = tar(&[file("answer.wasm", &wasm)]);
    let image = Artifact::without_config(&[(
        "application/vnd.oci.image.layer.v1.tar+gzip",
        &gzip(&archive),
    )]);
    layout.add("image", &image);
    let other = Artifact::new(&[(WASM, &binary(EMPTY))]);
    layout.add("other", &other);
    let both = index(&[(&other, "linux", "amd64"), (&image, "wasi", "wasm")]);
    layout.add_document("index", &both);
    for tag in [":image", ":index"] {
        let fetched = Load::new().run(&layout.reference(tag)).await.expect(tag);
        assert_eq!(fetched.component.digest, Digest::of(&wasm), "{tag}");
    }
}

#[tokio::test]
async fn what_differs_from_its_digest_is_refused() {
    let wasm = binary(ANSWER);
    let artifact = Artifact::new(&[(WASM, &wasm)]);
    let manifest = artifact.bytes();
    for (blob, lie) in [
        (&wasm, wasm[..wasm.len() - 1].to_vec()),
        (&wasm, [wasm.as_slice(), b"x"].concat()),
        (&wasm, vec![0; wasm.len()]),
        (&artifact.blobs[1], b"{}".to_vec()),
        (&manifest, b"{}".to_vec()),
    ] {
        let mut layout = Written::new();
        layout.add("v1", &artifact);
        fs::write(layout.blob(blob), lie).expect("written");
        let error = Load::new().fails(&layout.reference(":v1")).await;
        assert_eq!(error.class(), Class::Verification, "{error}");
    }
    let mut layout = Written::new();
    layout.add("v1", &artifact);
    fs::remove_file(layout.blob(&wasm)).expect("removed");
    let error = Load::new().fails(&layout.reference(":v1")).await;
    assert_eq!(
        (error.code(), error.class()),
        ("not-found", Class::NotFound)
    );
}

#[tokio::test]
async fn directories_that_are_no_layout() {
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    type Spoil = (&'static str, fn(&Written));
    let spoil: [Spoil; 6] = [
        ("invalid-layout", |layout| {
            fs::remove_file(layout.path().join("oci-layout")).expect("removed");
        }),
        ("invalid-layout", |layout| layout.marker("2.0.0")),
        ("invalid-layout", |layout| {
            layout.index(&json!({ "manifests": 1 }));
        }),
        ("invalid-layout", |layout| {
            let digest = "sha256:../../../etc/passwd";
            layout.index(&json!({ "manifests": [{ "digest": digest, "size": 1 }] }));
        }),
        ("not-found", |layout| {
            layout.index(&json!({ "manifests": [] }));
        }),
        ("too-large", |layout| {
            let index = fs::File::create(layout.path().join("index.json")).expect("written");
            index.set_len(1 << 33).expect("a sparse file");
        }),
    ];
    for (code, spoil) in spoil {
        let mut layout = Written::new();
        layout.add("v1", &artifact);
        spoil(&layout);
        let error = Load::new().fails(&layout.reference("")).await;
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.hint().is_some());
    }
    let error = Load::new().fails("oci-layout:///nonexistent/x:v1").await;
    assert_eq!(error.code(), "not-found");
}

#[cfg(unix)]
#[tokio::test]
async fn links_do_not_lead_out_of_a_layout() {
    use std::os::unix::fs::symlink;

    let wasm = binary(ANSWER);
    let artifact = Artifact::new(&[(WASM, &wasm)]);
    let outside = TempDir::new().expect("a directory");
    let elsewhere = outside.path().join("x");
    fs::write(&elsewhere, &wasm).expect("written");

    let mut layout = Written::new();
    layout.add("v1", &artifact);
    let blob = layout.blob(&wasm);
    fs::remove_file(&blob).expect("removed");
    symlink(&elsewhere, &blob).expect("a link");
    let error = Load::new().fails(&layout.reference(":v1")).await;
    assert_eq!(error.code(), "invalid-layout");

    // Links within the layout are accepted, because tools share blobs that way.
    let inside = layout.path().join("shared");
    fs::write(&inside, &wasm).expect("written");
    fs::remove_file(&blob).expect("removed");
    symlink(&inside, &blob).expect("a link");
    Load::new()
        .run(&layout.reference(":v1"))
        .await
        .expect("read");

    let blobs = layout.path().join("blobs");
    let moved = outside.path().join("blobs");
    fs::rename(&blobs, &moved).expect("moved");
    symlink(&moved, &blobs).expect("a link");
    let error = Load::new().fails(&layout.reference(":v1")).await;
    assert_eq!(error.code(), "invalid-layout");
}
