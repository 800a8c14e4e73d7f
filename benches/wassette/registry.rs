//! A registry on this machine, and a proxy that cuts one connection.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wassette::digest::Digest;

/// A real registry (CNCF Distribution); ends when dropped.
pub struct Registry {
    process: Child,
    pub address: String,
}

impl Registry {
    pub fn start(dir: &Path) -> Self {
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
        while TcpStream::connect(&address).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "no registry");
            std::thread::sleep(Duration::from_millis(10));
        }
        Registry { process, address }
    }

    /// Pushes one artifact through an OCI layout, and returns its blob's digest.
    pub fn push(&self, repository: &str, wasm: &[u8]) -> String {
        let layout = tempfile::tempdir().expect("a directory");
        let layer = write_layout(layout.path(), wasm);
        let output = self.copy_of(layout.path(), repository).output();
        let output = output.expect("skopeo runs: apt-get install skopeo");
        assert!(output.status.success(), "{output:?}");
        layer
    }

    /// `skopeo copy` of a layout to a repository.
    pub fn copy_of(&self, layout: &Path, repository: &str) -> Command {
        let mut command = Command::new("skopeo");
        command
            .args(["--insecure-policy", "copy", "--preserve-digests"])
            .arg("--dest-tls-verify=false")
            .arg(format!("oci:{}:v1", layout.display()))
            .arg(format!("docker://{}/{repository}:v1", self.address));
        command
    }
}

/// Writes an artifact as an OCI layout, and returns its blob's digest.
pub fn write_layout(layout: &Path, wasm: &[u8]) -> String {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("writable");
    let put = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes).expect("writable");
        (digest.to_string(), bytes.len())
    };
    let (layer, layer_size) = put(wasm);
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
    let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
    fs::write(layout.join("oci-layout"), version).expect("writable");
    layer
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A proxy that cuts the first connection whose response exceeds the allowance.
pub struct Door {
    pub address: String,
    after: Arc<AtomicU64>,
}

impl Door {
    pub fn before(registry: &Registry, allowance: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (target, after) = (registry.address.clone(), Arc::new(AtomicU64::new(0)));
        let left = Arc::new(AtomicU64::new(allowance));
        let counted = after.clone();
        // Ends with the program.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else {
                    return;
                };
                let (left, after) = (left.clone(), counted.clone());
                let up = (client.try_clone(), server.try_clone());
                std::thread::spawn(move || {
                    if let (Ok(mut client), Ok(mut server)) = up {
                        let _ = std::io::copy(&mut client, &mut server);
                    }
                });
                std::thread::spawn(move || answer(server, client, &left, &after));
            }
        });
        Door { address, after }
    }

    /// Bytes of responses since the cut, headers included.
    pub fn after(&self) -> u64 {
        self.after.load(Ordering::SeqCst)
    }
}

fn answer(mut server: TcpStream, mut client: TcpStream, left: &AtomicU64, after: &AtomicU64) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = server.read(&mut chunk) {
        let before = left.load(Ordering::SeqCst);
        let open = before == 0;
        let pass = if open { n } else { n.min(before as usize) };
        if client.write_all(&chunk[..pass]).is_err() {
            break;
        }
        if open {
            after.fetch_add(pass as u64, Ordering::SeqCst);
            continue;
        }
        left.store(before - pass as u64, Ordering::SeqCst);
        if before == pass as u64 {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// A component of this size; most of it is the data of one module.
pub fn component_of(size: usize) -> Vec<u8> {
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

/// The same component with a custom section of its own, which changes its digest.
pub fn numbered(component: &[u8], number: u8) -> Vec<u8> {
    // Section 0, of 3 bytes, with a name of one.
    [component, &[0, 3, 1, b'n', number]].concat()
}

/// Passes connections on to `target`, each request after a delay; returns where it
/// listens. Ends with the program.
pub fn delayed(target: &str, delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let target = target.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&target) else {
                return;
            };
            let (Ok(requests), Ok(upstream)) = (client.try_clone(), server.try_clone()) else {
                return;
            };
            std::thread::spawn(move || pass_on(requests, upstream, delay));
            std::thread::spawn(move || pass_on(server, client, Duration::ZERO));
        }
    });
    address
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut chunk) {
        std::thread::sleep(delay);
        if to.write_all(&chunk[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
