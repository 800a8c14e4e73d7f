//! Names to addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// Turns names into addresses.
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of a host, in the order in which to try them. May block.
    ///
    /// # Errors
    ///
    /// Whatever kept the name from being resolved.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// `getaddrinfo`: what any other program on this machine would get.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = (name, 0).to_socket_addrs()?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}
