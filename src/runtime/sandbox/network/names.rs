//! `wasi:sockets/ip-name-lookup`.
//!
//! Replaces wasmtime-wasi's implementation, which resolves either every name or none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::vec;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    Host, HostResolveAddressStream, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi::p2::{DynPollable, Network as Handle, Pollable, SocketError, subscribe};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, poll_noop, spawn};

use super::connector::Unresolved;
use super::shadow::View;
use super::{DenialKind, Network, address_list, why};
use crate::policy::{self, Decision, NetworkPermissions, NetworkRule, Reason};

type Found = Result<Vec<IpAddr>, ErrorCode>;

/// A lookup, or the rest of its answer.
enum Lookup {
    Running(AbortOnDropJoinHandle<Found>),
    Done(Result<vec::IntoIter<IpAddr>, ErrorCode>),
}

impl Lookup {
    fn done(found: Found) -> Self {
        Lookup::Done(found.map(Vec::into_iter))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Lookup::Running(task) = self {
            *self = Lookup::done(task.await);
        }
    }
}

impl Host for View<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Handle>,
        name: String,
    ) -> Result<Resource<ResolveAddressStream>, SocketError> {
        let (guest, table) = self.0.network();
        table.get(&network)?;
        let name = policy::Host::parse(&name).map_err(|_| ErrorCode::InvalidArgument)?;
        let lookup = match name {
            // An address needs no lookup.
            policy::Host::Address(address) => Lookup::done(Ok(vec![address])),
            policy::Host::Name(name) => {
                if let Decision::Denied(reason) = guest.sandbox.network().lookup(&name) {
                    guest.denials.record(DenialKind::Lookup, &name, reason);
                    return Err(ErrorCode::AccessDenied.into());
                }
                Lookup::Running(spawn(look_up(guest, name)))
            }
        };
        Ok(as_theirs(&table.push(lookup)?))
    }
}

/// Resolves a granted name to those of its addresses that are granted, too.
fn look_up(network: &mut Network, name: String) -> impl Future<Output = Found> + Send + 'static {
    let (connector, own) = (Arc::clone(&network.host.connector), network.places());
    let (sandbox, denials) = (network.sandbox.clone(), network.denials.clone());
    async move {
        let resolved = connector.resolve(&name, &own).await;
        let found = resolved.map_err(|error| match error {
            Unresolved::Timeout => ErrorCode::TemporaryResolverFailure,
            Unresolved::Failed => ErrorCode::NameUnresolvable,
        })?;
        let mut granted = found.clone();
        let use_of = |address: &IpAddr| use_of(sandbox.network(), &name, *address);
        granted.retain(|address| use_of(address).is_allowed());
        if granted.is_empty() {
            let what = format!("{name} at {}", address_list(&found));
            let reason = why(found.iter().map(use_of));
            denials.record(DenialKind::Address, &what, reason);
            return Err(ErrorCode::AccessDenied);
        }
        Ok(granted)
    }
}

/// Whether the address of a name is granted for any port.
fn use_of(granted: &NetworkPermissions, name: &str, address: IpAddr) -> Decision {
    let ports = granted.allow.iter().map(|rule| match rule {
        NetworkRule::Host(pattern) => pattern.port.unwrap_or(0),
        NetworkRule::Cidr(rule) => rule.port.unwrap_or(0),
    });
    let mut reason = Reason::Never;
    for port in ports {
        match granted.address(name, SocketAddr::new(address, port)) {
            Decision::Allowed => return Decision::Allowed,
            denied => reason = why([Decision::Denied(reason), denied].into_iter()),
        }
    }
    Decision::Denied(reason)
}

impl HostResolveAddressStream for View<'_> {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> Result<Option<IpAddress>, SocketError> {
        let lookup = self.0.network().1.get_mut(&as_ours(&stream))?;
        if let Lookup::Running(task) = lookup {
            let found = poll_noop(std::pin::Pin::new(task)).ok_or(ErrorCode::WouldBlock)?;
            *lookup = Lookup::done(found);
        }
        match lookup {
            Lookup::Done(Ok(addresses)) => Ok(addresses.next().map(IpAddress::from)),
            Lookup::Done(Err(error)) => Err((*error).into()),
            // The code above made it `Done`.
            Lookup::Running(_) => Err(ErrorCode::WouldBlock.into()),
        }
    }

    fn subscribe(
        &mut self,
        stream: Resource<ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.0.network().1, as_ours(&stream))
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        let lookup = Resource::<Lookup>::new_own(stream.rep());
        self.0.network().1.delete(lookup)?;
        Ok(())
    }
}

// wasmtime-wasi's bindings require its own type for the stream, which only
// wasmtime-wasi can make. The table holds ours instead; a handle is only an index
// into the table.
fn as_theirs(lookup: &Resource<Lookup>) -> Resource<ResolveAddressStream> {
    Resource::new_own(lookup.rep())
}

fn as_ours(stream: &Resource<ResolveAddressStream>) -> Resource<Lookup> {
    Resource::new_borrow(stream.rep())
}
