//! Host functions that replace those of wasmtime-wasi.

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::SocketError;
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, HostNetwork};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::sockets::WasiSocketsView;

use super::messages;
use crate::runtime::sandbox::Guest;

/// The guest, as these functions see it.
pub(super) struct View<'a>(pub &'a mut Guest);

struct Shadow;

impl HasData for Shadow {
    type Data<'a> = View<'a>;
}

/// Replaces the functions that are already in the linker.
pub(in crate::runtime) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    ip_name_lookup::add_to_linker::<Guest, Shadow>(linker, |guest| View(guest))?;
    tcp_create_socket::add_to_linker::<Guest, Shadow>(linker, |guest| View(guest))?;
    udp_create_socket::add_to_linker::<Guest, Shadow>(linker, |guest| View(guest))?;
    messages::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

// The bindings require these traits in addition to the functions themselves.

impl network::Host for View<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.0.sockets(), error)
    }
}

impl HostNetwork for View<'_> {
    fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        HostNetwork::drop(&mut self.0.sockets(), network)
    }
}
