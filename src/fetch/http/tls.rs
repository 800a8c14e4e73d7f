//! How clients are built.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::HttpError;
use crate::fetch::FetchOptions;

const USER_AGENT: &str = concat!("wassette/", env!("CARGO_PKG_VERSION"));

/// The client for `https`, trusting what the system trusts.
pub(super) fn secure(options: &FetchOptions) -> Result<Client, HttpError> {
    // Named here rather than installed for the whole process, which may
    // already have another.
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(provider.clone()).map_err(HttpError::setup)?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HttpError::setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let builder = builder(options).tls_backend_preconfigured(config);
    builder.build().map_err(HttpError::setup)
}

/// The client for `http`: reads no certificates, trusts none, and goes past
/// proxies, which cannot reach loopback hosts.
pub(super) fn plain(options: &FetchOptions) -> Result<Client, HttpError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(HttpError::setup)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let builder = builder(options)
        .no_proxy()
        .tls_backend_preconfigured(config);
    builder.build().map_err(HttpError::setup)
}

fn builder(options: &FetchOptions) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        // Followed by hand, to decide what may follow where.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.idle_timeout)
}
