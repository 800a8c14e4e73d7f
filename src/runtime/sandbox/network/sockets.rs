//! `wasi:sockets`: raw TCP and UDP.
//!
//! Guests may connect and send to granted addresses. They may never listen, and bind
//! only to a port that the system chooses.

use std::net::SocketAddr;

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::{tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{SocketError, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtxView, WasiSocketsView};

use super::limits::{Place, SOCKETS};
use super::shadow::View;
use super::{DenialKind, Network};
use crate::policy::{Decision, Reason};

/// Makes WASI's sockets check the grants.
pub(super) fn configure(wasi: &mut WasiCtxBuilder, network: &Network) {
    let may_have_any = network.grants_anything();
    wasi.allow_tcp(may_have_any).allow_udp(may_have_any);
    if !may_have_any {
        return;
    }
    let (sandbox, denials) = (network.sandbox.clone(), network.denials.clone());
    wasi.socket_addr_check(move |address, purpose| {
        let decision = match purpose {
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                sandbox.network().socket(address)
            }
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if is_implicit(address) => {
                Decision::Allowed
            }
            SocketAddrUse::TcpBind
            | SocketAddrUse::UdpBind
            | SocketAddrUse::TcpListen
            | SocketAddrUse::TcpAccept => Decision::Denied(Reason::Never),
        };
        // Packets from other addresses are dropped without a record: the guest did not request
        // them.
        if let Decision::Denied(reason) = decision
            && !matches!(purpose, SocketAddrUse::UdpReceive)
        {
            denials.record(DenialKind::Socket, &describe(address, purpose), reason);
        }
        Box::pin(async move { decision.is_allowed() })
    });
}

/// Whether the system chooses both address and port.
fn is_implicit(address: SocketAddr) -> bool {
    address.ip().is_unspecified() && address.port() == 0
}

fn describe(address: SocketAddr, purpose: SocketAddrUse) -> String {
    match purpose {
        SocketAddrUse::TcpConnect => format!("TCP to {address}"),
        SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => format!("UDP to {address}"),
        SocketAddrUse::TcpBind => format!("TCP bound to {address}"),
        SocketAddrUse::UdpBind => format!("UDP bound to {address}"),
        SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
            format!("TCP listening on {address}")
        }
    }
}

// wasmtime-wasi makes the sockets; these functions count them.

impl tcp_create_socket::Host for View<'_> {
    fn create_tcp_socket(
        &mut self,
        family: IpAddressFamily,
    ) -> Result<Resource<TcpSocket>, SocketError> {
        let place = self.place("TCP")?;
        let socket = WasiSocketsCtxView::create_tcp_socket(&mut self.0.sockets(), family)?;
        self.hold(socket.rep(), place);
        Ok(socket)
    }
}

impl udp_create_socket::Host for View<'_> {
    async fn create_udp_socket(
        &mut self,
        family: IpAddressFamily,
    ) -> Result<Resource<UdpSocket>, SocketError> {
        let place = self.place("UDP")?;
        let mut sockets = self.0.sockets();
        let socket = WasiSocketsCtxView::create_udp_socket(&mut sockets, family).await?;
        self.hold(socket.rep(), place);
        Ok(socket)
    }
}

impl View<'_> {
    fn hold(&mut self, rep: u32, place: Place) {
        let sockets = &mut self.0.network().0.sockets;
        // Drops the permit of a closed socket that had the same index.
        sockets.retain(|(known, _)| *known != rep);
        sockets.push((rep, place));
    }

    fn place(&mut self, protocol: &str) -> Result<Place, ErrorCode> {
        let (network, table) = self.0.network();
        if !network.grants_anything() {
            let reason = Reason::NotGranted;
            network.denials.record(DenialKind::Socket, protocol, reason);
            return Err(ErrorCode::AccessDenied);
        }
        network.sockets.retain(|(rep, _)| is_open(table, *rep));
        if network.sockets.len() >= SOCKETS {
            return Err(ErrorCode::NewSocketLimit);
        }
        let place = network.host.places.connection_now();
        place.ok_or(ErrorCode::NewSocketLimit)
    }
}

/// Whether the table has a socket at this index, be it the same or a newer one.
fn is_open(table: &ResourceTable, rep: u32) -> bool {
    table.get(&Resource::<TcpSocket>::new_borrow(rep)).is_ok()
        || table.get(&Resource::<UdpSocket>::new_borrow(rep)).is_ok()
}
