//! Builds HTTP clients with their TLS configuration.

use std::path::Path;
use std::sync::Arc;

use reqwest::{Client, ClientBuilder};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use zeroize::Zeroizing;

use super::resolver::SystemResolver;
use super::{Access, Certificate, Error, Options};
use crate::file::{Links, read_regular};
use crate::text::bytes_without_bom;

/// Largest PEM file, in bytes.
const MAX_PEM: u64 = 16 << 20;
const USER_AGENT: &str = concat!("wassette/", env!("CARGO_PKG_VERSION"));

/// How a client verifies the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// `http` to loopback. Bypasses proxies, which cannot reach this machine's
    /// loopback.
    Loopback,
    /// `http` to other hosts.
    Plain,
    /// `https`, verified against the system's roots and the CA files of the
    /// options and the host.
    Authorities,
    /// `https` without verification, for hosts listed as `insecure`.
    Anyone,
}

/// Builds the client for a kind of trust and the settings of a host.
pub(super) fn client(trust: Trust, options: &Options, access: &Access) -> Result<Client, Error> {
    let provider = provider();
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Loopback => return trusting_none(builder(options).no_proxy()),
        Trust::Plain => return trusting_none(builder(options)),
        Trust::Anyone => Arc::new(Anyone(provider.clone())),
        Trust::Authorities => {
            let mut roots = Vec::new();
            for file in &options.ca_files {
                roots.extend(certificates(file).map_err(Error::into_authority)?);
            }
            for file in &access.ca {
                roots.extend(certificates(file)?);
            }
            let listed = roots.clone();
            let verifier = Verifier::new_with_extra_roots(roots, provider.clone());
            Arc::new(Authorities {
                verifier: verifier.map_err(Error::setup)?,
                listed,
            })
        }
    };
    https(options, access, (provider, verifier))
}

fn https(
    options: &Options,
    access: &Access,
    (provider, verifier): (Arc<CryptoProvider>, Arc<dyn ServerCertVerifier>),
) -> Result<Client, Error> {
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &access.client_cert {
        None => config.with_no_client_auth(),
        Some(Certificate { chain, key }) => {
            let text = Zeroizing::new(read_pem(key)?);
            let secret = PrivateKeyDer::from_pem_slice(bytes_without_bom(&text))
                .map_err(|error| Error::certificate(key, error))?;
            config
                .with_client_auth_cert(certificates(chain)?, secret)
                .map_err(|error| Error::certificate(chain, error))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let builder = builder(options).tls_backend_preconfigured(config);
    builder.build().map_err(Error::setup)
}

/// A client without root certificates, for plain HTTP. Not loading them saves
/// most of the time to build a client.
fn trusting_none(builder: ClientBuilder) -> Result<Client, Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Error::setup)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let builder = builder.tls_backend_preconfigured(config);
    builder.build().map_err(Error::setup)
}

/// Passed explicitly, because the process-wide default may be set to another.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a PEM file; an error if there are none.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read_pem(file)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(bytes_without_bom(&pem))
        .collect::<Result<_, _>>()
        .map_err(|error| Error::certificate(file, error))?;
    match found.is_empty() {
        true => Err(Error::certificate(file, "it holds no certificate")),
        false => Ok(found),
    }
}

fn read_pem(file: &Path) -> Result<Vec<u8>, Error> {
    read_regular(file, MAX_PEM, Links::Follow).map_err(|error| Error::certificate(file, error))
}

fn builder(options: &Options) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .dns_resolver(Arc::new(SystemResolver))
        // `Client` follows redirects itself, to decide where credentials may
        // go.
        .redirect(reqwest::redirect::Policy::none())
        // `Client` retries itself, to count retries and pause between them.
        .retry(reqwest::retry::never())
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.idle_timeout)
}

/// Accepts certificates issued by a trusted authority, and certificates that
/// the operator listed: a self-signed certificate made with `openssl req -x509`
/// is marked as an authority, and verifiers reject it as a server certificate.
#[derive(Debug)]
struct Authorities {
    verifier: Verifier,
    listed: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .verifier
            .verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match verified {
            // `CaUsedAsEndEntity` has no variant in rustls and arrives as
            // `Other`. Validity dates have their own variants and are checked
            // before it.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.listed.iter().any(|one| one == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = &self.verifier;
        verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = &self.verifier;
        verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Accepts any certificate; handshake signatures are still checked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
