//! A certificate authority of the tests' own, made by openssl.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A CA and a server certificate for `localhost` and 127.0.0.1.
pub struct Authority {
    dir: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
        std::fs::write(dir.path().join("leaf.ext"), extensions).expect("a file");
        for command in [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
             -subj /CN=test-ca -keyout ca.key -out ca.pem",
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
             -subj /CN=localhost -keyout leaf.key -out leaf.csr",
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile leaf.ext -out leaf.pem",
        ] {
            let done = Command::new("openssl")
                .args(command.split_whitespace())
                .current_dir(dir.path())
                .output()
                .expect("openssl runs");
            let words = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{words}");
        }
        Authority { dir }
    }

    /// The PEM file of the CA.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Serves one body to every request.
    pub async fn serve(&self, body: Vec<u8>) -> SecureServer {
        let config = server_config(self.dir.path());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let body: Arc<[u8]> = body.into();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, body) = (acceptor.clone(), body.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate hangs up.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = answer(stream, &body).await;
                    }
                });
            }
        });
        SecureServer { port, task }
    }
}

/// An HTTPS server; ends when dropped.
pub struct SecureServer {
    pub port: u16,
    task: JoinHandle<()>,
}

impl SecureServer {
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

impl Drop for SecureServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn server_config(dir: &Path) -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(dir.join("leaf.pem"))
        .and_then(Iterator::collect)
        .expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(dir.join("leaf.key")).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they belong together")
}

/// One request, one answer, the end of the connection.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let length = body.len();
    let lines = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(lines.as_bytes()).await?;
    if !head.starts_with(b"HEAD") {
        stream.write_all(body).await?;
    }
    stream.shutdown().await
}
