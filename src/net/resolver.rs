//! DNS lookups with the system's resolver.

use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver. Its errors have the type [`Unresolved`], to tell an
/// unknown name from a failed connection.
pub(super) struct SystemResolver;

/// A name without an address. Not retried, since the resolver retries itself.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
pub(super) struct Unresolved(#[source] io::Error);

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // `reqwest` replaces the port with that of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<_> = found.map_err(Unresolved)?.collect();
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
