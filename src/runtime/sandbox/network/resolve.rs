//! Resolves names to addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// A resolver of names.
pub trait Resolve: fmt::Debug + Send + Sync {
    /// Returns the addresses of a host, in the order in which to try them. May block.
    ///
    /// # Errors
    ///
    /// Why the name could not be resolved.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// `getaddrinfo`, as used by other programs on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = (name, 0).to_socket_addrs()?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}
