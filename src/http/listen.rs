//! Opens the listener: on a loopback address, unless tokens are configured or
//! authentication is disabled explicitly.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::auth::Auth;
use super::error::HttpError;

/// Listens on `host:port`.
///
/// # Errors
///
/// [`HttpError::Exposed`] when other machines could connect and `auth` is
/// [`Auth::Loopback`]; [`HttpError::Bind`].
pub(super) async fn bind(address: &str, auth: &Auth) -> Result<TcpListener, HttpError> {
    let failed = |source| HttpError::Bind {
        address: address.to_owned(),
        source,
    };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(address)
        .await
        .map_err(failed)?
        .collect();
    let exposed = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    if matches!(auth, Auth::Loopback) && addresses.iter().any(exposed) {
        return Err(HttpError::Exposed {
            address: address.to_owned(),
        });
    }
    allow_many_files();
    let listener = TcpListener::bind(&*addresses).await.map_err(failed)?;
    warn(&listener, auth);
    Ok(listener)
}

/// Warns about the risks of a server that other machines can reach.
fn warn(listener: &TcpListener, auth: &Auth) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let is_exposed = !address.ip().to_canonical().is_loopback();
    match auth {
        Auth::Disabled => eprintln!(
            "warning: anyone who can reach {address} can load and call components (--no-auth)"
        ),
        Auth::Tokens(_) if is_exposed => tracing::warn!(
            "tokens cross the network in plain text: put a proxy with TLS before {address}"
        ),
        Auth::Tokens(_) | Auth::Loopback => {}
    }
}

/// Raises the limit of open files: each connection takes one, and the default is
/// often 1,024.
#[cfg(unix)]
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays");
    }
}

#[cfg(not(unix))]
fn allow_many_files() {}
