//! HTTPS servers with the tests' certificates.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificates::Certificates;

/// Which clients are admitted.
#[derive(Debug, Clone, Copy)]
pub enum Clients {
    Anyone,
    /// Those with a certificate from the authority.
    Known,
}

/// An HTTPS server (localhost, 127.0.0.1); ends when dropped.
pub struct SecureServer {
    pub port: u16,
    task: JoinHandle<()>,
}

impl SecureServer {
    /// Answers every request with this body.
    pub async fn of(certificates: &Certificates, body: Vec<u8>) -> Self {
        let router = Router::new().fallback(move || async move { body });
        SecureServer::start(certificates, Clients::Anyone, router).await
    }

    pub async fn start(certificates: &Certificates, clients: Clients, router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let acceptor = TlsAcceptor::from(Arc::new(config(certificates, clients)));
        let task = tokio::spawn(async move {
            let _ = axum::serve(Secure { listener, acceptor }, router).await;
        });
        SecureServer { port, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

impl Drop for SecureServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.expect("a connection");
            // The handshake fails if the client does not trust the certificate.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

fn config(certificates: &Certificates, clients: Clients) -> ServerConfig {
    let pem = |name: &str| CertificateDer::from_pem_file(certificates.file(name));
    let key = PrivateKeyDer::from_pem_file(certificates.file("server.key")).expect("a key");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        Clients::Anyone => builder.with_no_client_auth(),
        Clients::Known => {
            let mut roots = RootCertStore::empty();
            roots
                .add(pem("ca.pem").expect("a certificate"))
                .expect("a root");
            let known = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(known.build().expect("a verifier"))
        }
    };
    let chain = vec![pem("server.pem").expect("a certificate")];
    builder
        .with_single_cert(chain, key)
        .expect("they belong together")
}
