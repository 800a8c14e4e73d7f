//! How clients are built.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::{Client, ClientBuilder};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::HttpError;
use crate::fetch::FetchOptions;
use crate::fetch::hosts::{Access, Certificate};

const USER_AGENT: &str = concat!("wassette/", env!("CARGO_PKG_VERSION"));

/// The client for `https`, trusting what the system trusts and what `access` adds.
pub(super) fn secure(options: &FetchOptions, access: &Access) -> Result<Client, HttpError> {
    // Named here rather than installed for the whole process, which may
    // already have another.
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(authorities(&access.ca)?, provider.clone())
        .map_err(HttpError::setup)?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HttpError::setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &access.client_cert {
        None => config.with_no_client_auth(),
        Some(Certificate { chain, key }) => {
            let secret = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| HttpError::certificate(key, error))?;
            config
                .with_client_auth_cert(certificates(chain)?, secret)
                .map_err(|error| HttpError::certificate(chain, error))?
        }
    };
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

fn authorities(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let mut all = Vec::new();
    for file in files {
        all.extend(certificates(file)?);
    }
    Ok(all)
}

/// The certificates of a PEM file, which has at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let unusable = |error| HttpError::certificate(file, error);
    let found: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(unusable)?
        .collect::<Result<_, _>>()
        .map_err(unusable)?;
    match found.is_empty() {
        true => Err(HttpError::certificate(file, "it holds no certificate")),
        false => Ok(found),
    }
}

fn builder(options: &FetchOptions) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        // Followed by hand, to decide what may follow where.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.idle_timeout)
}
