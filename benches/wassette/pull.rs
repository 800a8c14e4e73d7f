//! A pull of 12 MB from a registry on this machine, against `curl` of the blob.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::report::{median_ms, row, title};

const SIZE: usize = 12 * 1024 * 1024;

pub fn run() {
    title("pull of 12 MB from a registry on this machine");
    let dir = tempfile::tempdir().expect("a directory");
    let registry = Registry::start(dir.path());
    let digest = registry.push(dir.path());
    let blob = format!("http://{}/v2/bench/big/blobs/{digest}", registry.address);
    let out = dir.path().join("blob");
    let curl = median_ms(10, || {
        let status = Command::new("curl")
            .args(["-sf", "-o"])
            .arg(&out)
            .arg(&blob)
            .status()
            .expect("curl runs: apt-get install curl");
        assert!(status.success());
    });
    row("curl of the blob", curl, "ms", None);
    let reference = format!("oci://{}/bench/big:v1", registry.address);
    let mut fetches = Vec::new();
    let pull = median_ms(10, || {
        let root = tempfile::tempdir().expect("a directory");
        let output = Command::new(env!("CARGO_BIN_EXE_wassette"))
            .args(["inspect", &reference, "-o", "json", "--root"])
            .arg(root.path())
            .output()
            .expect("wassette runs");
        assert!(output.status.success(), "{output:?}");
        let inspection: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        fetches.push(
            inspection["receipt"]["fetch_ms"]
                .as_f64()
                .unwrap_or(f64::NAN),
        );
    });
    let base = Some((curl, "curl"));
    fetches.sort_by(f64::total_cmp);
    row(
        "the fetch: manifest, config, blob, on disk",
        fetches[fetches.len() / 2],
        "ms",
        base,
    );
    row(
        "`wassette inspect`: and verified, described",
        pull,
        "ms",
        base,
    );
}

struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn start(dir: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("bound").to_string();
        drop(free);
        let config = dir.join("registry.yml");
        let storage = dir.join("registry");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {address}}}\n",
            storage.display()
        );
        fs::write(&config, text).expect("writable");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry runs: apt-get install docker-registry");
        let started = Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "no registry");
            std::thread::sleep(Duration::from_millis(10));
        }
        Registry { process, address }
    }

    /// Pushes one artifact, by way of an OCI layout, and returns its blob's digest.
    fn push(&self, dir: &Path) -> String {
        let layout = dir.join("layout");
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("writable");
        let put = |bytes: &[u8]| {
            let digest = wassette::digest::Digest::of(bytes);
            fs::write(blobs.join(digest.hex()), bytes).expect("writable");
            (digest.to_string(), bytes.len())
        };
        let wasm = component_of(SIZE);
        let (layer, layer_size) = put(&wasm);
        let config = format!(
            r#"{{"created":"2026-01-01T00:00:00Z","architecture":"wasm","os":"wasip2","layerDigests":["{layer}"],"component":{{"exports":["f"],"imports":[]}}}}"#
        );
        let (config, config_size) = put(config.as_bytes());
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{config}","size":{config_size}}},"layers":[{{"mediaType":"application/wasm","digest":"{layer}","size":{layer_size}}}]}}"#
        );
        let (manifest, manifest_size) = put(manifest.as_bytes());
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{manifest}","size":{manifest_size},"annotations":{{"org.opencontainers.image.ref.name":"v1"}}}}]}}"#
        );
        fs::write(layout.join("index.json"), index).expect("writable");
        fs::write(
            layout.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .expect("writable");
        let output = Command::new("skopeo")
            .args([
                "--insecure-policy",
                "copy",
                "--preserve-digests",
                "--dest-tls-verify=false",
            ])
            .arg(format!("oci:{}:v1", layout.display()))
            .arg(format!("docker://{}/bench/big:v1", self.address))
            .output()
            .expect("skopeo runs: apt-get install skopeo");
        assert!(output.status.success(), "{output:?}");
        layer
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A component whose one module is mostly data.
fn component_of(size: usize) -> Vec<u8> {
    let data: String = (0..size)
        .map(|n| char::from(b'a' + (n * n / 7 % 26) as u8))
        .collect();
    let text = format!(
        r#"(component
            (core module $m
                (memory 512)
                (data (i32.const 0) "{data}")
                (func (export "f") (result i32) (i32.const 1)))
            (core instance $i (instantiate $m))
            (func (export "f") (result s32) (canon lift (core func $i "f"))))"#
    );
    wat::parse_str(text).expect("valid text")
}
