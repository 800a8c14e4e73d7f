//! TLS for guests' connections.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasmtime_wasi_http::Error as HttpError;

use crate::file::{Links, read_regular};
use crate::policy::Host;
use crate::secret::Redactor;

/// Largest file of certificate authorities, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// Returns a TLS configuration that trusts the system's and these authorities. Reads hundreds of
/// certificates, so it is made once, off the guests' threads.
pub(super) fn config(ca_files: &[PathBuf]) -> Result<ClientConfig, String> {
    let mut roots = Vec::new();
    for file in ca_files {
        roots.extend(certificates(file)?);
    }
    // Named rather than installed for the process, which may have another.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unusable = |error: rustls::Error| error.to_string();
    let verifier =
        Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(unusable)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |error: &dyn std::fmt::Display| format!("`{}`: {error}", file.display());
    let pem = read_regular(file, MAX_FILE, Links::Follow).map_err(|error| unusable(&error))?;
    let found: Result<_, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found.map_err(|error| unusable(&error))
}

/// Does the TLS handshake with `host`, whose certificate must be for that name or
/// address.
pub(super) async fn connect(
    config: Arc<ClientConfig>,
    host: &Host,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
        Host::Address(address) => ServerName::from(IpAddr::to_canonical(address)),
    };
    TlsConnector::from(config).connect(name, stream).await
}

pub(super) fn explain(error: &io::Error, redactor: &Redactor) -> HttpError {
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    let told = error.to_string();
    tracing::debug!("no TLS for a guest: {}", redactor.text(&told));
    if inner.is_none()
        && error
            .get_ref()
            .is_some_and(|error| error.is::<InvalidDnsNameError>())
    {
        return HttpError::HttpRequestUriInvalid;
    }
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => HttpError::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => HttpError::TlsAlertReceived {
            alert_id: Some((*alert).into()),
            alert_message: Some(format!("{alert:?}")),
        },
        Some(_) => HttpError::TlsProtocolError,
        None => HttpError::ConnectionTerminated,
    }
}
