//! Connects to a destination, only at addresses that were checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use wasmtime_wasi_http::Error as HttpError;

use super::destination::Destination;
use super::limits::{self, Places};
use super::options::NetworkOptions;
use super::tls;
use super::why;
use crate::policy::{Host, Reason, Scheme};
use crate::runtime::sandbox::Sandbox;
use crate::secret::Redactor;

/// State that all guests' connections share. Creating one reads nothing.
#[derive(Debug)]
pub(in crate::runtime) struct Connector {
    options: NetworkOptions,
    tls: OnceCell<Arc<ClientConfig>>,
}

/// Why a name has no addresses.
#[derive(Debug)]
pub(super) enum Unresolved {
    Timeout,
    Failed,
}

/// Why there is no connection.
pub(super) enum Unconnected {
    /// The host's addresses, none of which is granted, and the reason.
    Prohibited(Reason, Vec<IpAddr>),
    Failed(HttpError),
}

impl From<HttpError> for Unconnected {
    fn from(error: HttpError) -> Self {
        Unconnected::Failed(error)
    }
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Connector {
    pub fn new(options: NetworkOptions) -> Arc<Self> {
        Arc::new(Connector {
            options,
            tls: OnceCell::new(),
        })
    }

    /// Resolves a name to addresses in canonical form.
    pub(super) async fn resolve(
        &self,
        name: &str,
        own: &Places,
    ) -> Result<Vec<IpAddr>, Unresolved> {
        let resolving = async {
            let place = own.lookup().await;
            let (resolver, name) = (Arc::clone(&self.options.resolver), name.to_owned());
            let lookup = move || {
                // A lookup cannot be stopped, so it holds its permit to the end.
                let _place = place;
                resolver.resolve(&name)
            };
            tokio::task::spawn_blocking(lookup).await
        };
        match timeout(limits::LOOKUP, resolving).await {
            Err(_) => Err(Unresolved::Timeout),
            Ok(Ok(Ok(addresses))) if !addresses.is_empty() => Ok(addresses
                .iter()
                .take(limits::ADDRESSES)
                .map(IpAddr::to_canonical)
                .collect()),
            Ok(failed) => {
                tracing::debug!(?failed, "a guest's lookup failed");
                Err(Unresolved::Failed)
            }
        }
    }

    /// Connects to a granted destination, at one of its granted addresses. It
    /// connects to the very addresses it checked, without a second lookup.
    pub(super) async fn connect(
        &self,
        destination: &Destination,
        sandbox: &Sandbox,
        own: &Places,
        redactor: &Redactor,
    ) -> Result<Box<dyn Stream>, Unconnected> {
        let found = match &destination.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolve(name, own).await.map_err(unresolved)?,
        };
        let (granted, host) = (sandbox.network(), destination.host.to_string());
        let addresses: Vec<SocketAddr> = found
            .iter()
            .map(|address| SocketAddr::new(*address, destination.port))
            .filter(|address| granted.address(&host, *address).is_allowed())
            .collect();
        if addresses.is_empty() {
            let socket = |address: &IpAddr| SocketAddr::new(*address, destination.port);
            let decisions = found.iter().map(|ip| granted.address(&host, socket(ip)));
            return Err(Unconnected::Prohibited(why(decisions), found));
        }
        let stream = reach(&addresses).await.map_err(|error| explain(&error))?;
        Ok(match destination.scheme {
            Scheme::Http => Box::new(stream),
            Scheme::Https => {
                let config = self.tls().await?;
                let secured = tls::connect(config, &destination.host, stream).await;
                Box::new(secured.map_err(|error| tls::explain(&error, redactor))?)
            }
        })
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, HttpError> {
        let make = || async {
            let files = self.options.ca_files.clone();
            let made = tokio::task::spawn_blocking(move || tls::config(&files)).await;
            made.unwrap_or_else(|error| Err(error.to_string()))
        };
        let config = self
            .tls
            .get_or_try_init(|| async { make().await.map(Arc::new) });
        config.await.cloned().map_err(|error| {
            tracing::error!("guests cannot use TLS: {error}");
            HttpError::ConfigurationError
        })
    }
}

/// Connects to the first address that answers.
async fn reach(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (n, address) in addresses.iter().enumerate() {
        let limit = match n + 1 == addresses.len() {
            true => limits::CONNECT,
            false => limits::ATTEMPT,
        };
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small parts of a request must not wait for each other.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

fn unresolved(unresolved: Unresolved) -> HttpError {
    match unresolved {
        Unresolved::Timeout => HttpError::DnsTimeout,
        Unresolved::Failed => HttpError::DnsError {
            rcode: Some("the name has no address".to_owned()),
            info_code: None,
        },
    }
}

fn explain(error: &io::Error) -> HttpError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => HttpError::ConnectionRefused,
        io::ErrorKind::TimedOut => HttpError::ConnectionTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            HttpError::DestinationIpUnroutable
        }
        _ => HttpError::DestinationUnavailable,
    }
}
