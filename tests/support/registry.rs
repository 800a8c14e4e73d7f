//! A real registry: the CNCF Distribution server, as packaged by Debian.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use wassette::digest::Digest;

use super::artifact::{Artifact, INDEX, MANIFEST};
use super::certificates::Certificates;
use super::wait::until;

const BINARY: &str = "docker-registry";
const INSTALL: &str = "apt-get install -y --no-install-recommends docker-registry";

/// A registry process on a free port; ends when dropped.
pub struct Registry {
    child: Child,
    address: String,
    client: reqwest::Client,
    storage: PathBuf,
    dir: TempDir,
}

/// A user of a registry.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub username: &'a str,
    pub secret: &'a str,
}

impl Registry {
    /// Starts a registry and waits until it listens.
    pub fn start() -> Self {
        Registry::configured("", "")
    }

    /// Creates a pull-through cache of another registry.
    pub fn cache_of(upstream: &Registry) -> Self {
        Registry::configured("", &upstream.as_remote())
    }

    /// Like [`Registry::cache_of`], with TLS for clients with a certificate.
    pub fn secure_cache_of(upstream: &Registry, certificates: &Certificates) -> Self {
        Registry::configured(&tls(certificates), &upstream.as_remote())
    }

    /// Creates a pull-through cache that logs in to the other registry as one user, and admits
    /// only another user.
    pub fn guarded_cache_of(upstream: &Registry, theirs: Login<'_>, ours: Login<'_>) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let storage = dir.path().join("storage");
        let Login { username, secret } = theirs;
        // Distribution's own `username` and `password` settings only work for tokens.
        let proxy = format!(
            "proxy: {{remoteurl: 'http://{username}:{secret}@{}'}}\n",
            upstream.address
        );
        let auth = htpasswd(&dir, ours);
        Registry::serve(dir, storage, ("", &format!("{proxy}{auth}")))
    }

    fn as_remote(&self) -> String {
        format!("proxy: {{remoteurl: 'http://{}'}}\n", self.address)
    }

    /// Starts another registry on the same storage; `config` is added to its
    /// configuration, for example to restrict who may read.
    pub fn beside(&self, config: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        Registry::serve(dir, self.storage.clone(), ("", config))
    }

    /// Like [`Registry::beside`], with TLS for clients with a certificate.
    pub fn secure_beside(&self, certificates: &Certificates, config: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        Registry::serve(dir, self.storage.clone(), (&tls(certificates), config))
    }

    /// Like [`Registry::beside`], but it admits only this user, with Basic authentication.
    pub fn beside_with_login(&self, username: &str, secret: &str) -> Self {
        self.beside(&htpasswd(&self.dir, Login { username, secret }))
    }

    fn configured(tls: &str, more: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let storage = dir.path().join("storage");
        Registry::serve(dir, storage, (tls, more))
    }

    fn serve(dir: TempDir, storage: PathBuf, (tls, more): (&str, &str)) -> Self {
        let config = dir.path().join("config.yml");
        // Port 0: the system chooses a free one, and the log names it.
        let text = format!(
            "version: 0.1\nlog: {{level: info, formatter: text}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:0'{tls}}}\n{more}",
            storage.display()
        );
        std::fs::write(&config, text).expect("the config is written");
        let spawned = Command::new(BINARY)
            .arg("serve")
            .arg(&config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child =
            spawned.unwrap_or_else(|error| panic!("{BINARY}: {error}; install it: {INSTALL}"));
        let mut log = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let address = listening(&mut log);
        // An unread pipe would block the registry once it is full.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Registry {
            child,
            address,
            client: client(),
            storage,
            dir,
        }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `oci://…/` and the name.
    pub fn reference(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }

    /// Waits until the blob is stored: a cache answers before that.
    pub async fn stores(&self, repository: &str, blob: &Digest) {
        let link = format!(
            "docker/registry/v2/repositories/{repository}/_layers/sha256/{}/link",
            blob.hex()
        );
        let link = self.storage.join(link);
        let what = format!("{} appears", link.display());
        until(&what, || link.exists()).await;
    }

    /// Pushes blobs and OCI manifest, and returns the manifest's digest.
    pub async fn push(&self, repository: &str, tag: &str, artifact: &Artifact) -> Digest {
        for blob in &artifact.blobs {
            self.push_blob(repository, blob).await;
        }
        self.push_manifest(repository, tag, &artifact.manifest)
            .await
    }

    pub async fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::of(content);
        let start = format!("http://{}/v2/{repository}/blobs/uploads/", self.address);
        let started = self
            .client
            .post(start)
            .send()
            .await
            .expect("an upload starts");
        let location = started.headers()["location"].to_str().expect("an address");
        let mut url: url::Url = location.parse().expect("an address");
        url.query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let put = self.client.put(url).body(content.to_vec()).send().await;
        let status = put.expect("the upload ends").status();
        assert_eq!(status, http::StatusCode::CREATED);
        digest
    }

    /// Pushes an OCI manifest or an image index.
    pub async fn push_manifest(&self, repository: &str, tag: &str, manifest: &Value) -> Digest {
        let bytes = manifest.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        let kind = if manifest.get("manifests").is_some() {
            INDEX
        } else {
            MANIFEST
        };
        let put = self
            .client
            .put(format!(
                "http://{}/v2/{repository}/manifests/{tag}",
                self.address
            ))
            .header("content-type", kind)
            .body(bytes)
            .send()
            .await
            .expect("the manifest is sent");
        let status = put.status();
        let words = put.text().await.unwrap_or_default();
        assert_eq!(status, http::StatusCode::CREATED, "{words}");
        digest
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Configuration of a registry that admits only this user, with Basic authentication.
fn htpasswd(dir: &TempDir, Login { username, secret }: Login<'_>) -> String {
    let output = Command::new("htpasswd")
        .args(["-Bbn", username, secret])
        .output();
    let output = output.expect("htpasswd; install it: apt-get install -y apache2-utils");
    let file = dir.path().join("htpasswd");
    std::fs::write(&file, output.stdout).expect("written");
    let file = file.display();
    format!("auth: {{htpasswd: {{realm: r, path: {file}}}}}\n")
}

/// Configuration of a registry with TLS, for clients with a certificate of the
/// authority.
fn tls(certificates: &Certificates) -> String {
    let file = |name| certificates.file(name).display().to_string();
    format!(
        ", tls: {{certificate: {}, key: {}, clientcas: [{}]}}",
        file("server.pem"),
        file("server.key"),
        file("ca.pem")
    )
}

fn listening(log: &mut impl BufRead) -> String {
    let mut seen = String::new();
    let mut line = String::new();
    while log.read_line(&mut line).is_ok_and(|read| read > 0) {
        if let Some((_, rest)) = line.split_once("listening on ") {
            let end = rest.find([' ', '"', ',', '\n']).unwrap_or(rest.len());
            return rest[..end].to_owned();
        }
        seen.push_str(&line);
        line.clear();
    }
    panic!("the registry did not start:\n{seen}");
}

/// Returns a client for plain HTTP.
pub fn client() -> reqwest::Client {
    // If a provider is already installed, it is used.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client")
}
