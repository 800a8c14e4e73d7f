//! The network as one guest may use it.
//!
//! ```text
//! requests (wasi:http) ── destination ── connector ── exchange
//! messages (wasi:http), before they are sent
//! names (ip-name-lookup) ─────────────── connector
//! sockets (tcp, udp)
//! ```
//!
//! Everything a guest opened ends with its instance: tasks are stopped when
//! the handles in its resource table are dropped.

mod connector;
mod destination;
mod exchange;
mod limits;
mod messages;
mod names;
mod options;
mod requests;
mod resolve;
mod shadow;
mod sockets;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;

use wasmtime_wasi::WasiCtxBuilder;

use super::{DenialKind, Denials, Sandbox};
use limits::{Place, Places};

pub(in crate::runtime) use connector::Connector;
pub(super) use messages::context as http_context;
pub use options::NetworkOptions;
pub use resolve::{Resolve, SystemResolver};
pub(in crate::runtime) use shadow::add_to_linker;

/// One instance's side of the network.
pub(super) struct Network {
    sandbox: Sandbox,
    denials: Denials,
    connector: Arc<Connector>,
    /// Made when first needed.
    places: Option<Arc<Places>>,
    /// Open sockets by their index in the resource table, and what each holds.
    sockets: Vec<(u32, Place)>,
    /// HTTP messages that were made so far.
    messages: u32,
}

impl Network {
    pub fn new(sandbox: Sandbox, denials: Denials, connector: Arc<Connector>) -> Self {
        Network {
            sandbox,
            denials,
            connector,
            places: None,
            sockets: Vec::new(),
            messages: 0,
        }
    }

    pub fn configure(&self, wasi: &mut WasiCtxBuilder) {
        sockets::configure(wasi, self);
    }

    fn places(&mut self) -> Arc<Places> {
        let places = self
            .places
            .get_or_insert_with(|| Arc::new(Places::of_one()));
        Arc::clone(places)
    }

    fn grants_anything(&self) -> bool {
        !self.sandbox.network().allow.is_empty()
    }
}

/// `a, b and 3 more`.
fn address_list(addresses: &[IpAddr]) -> String {
    const LISTED: usize = 4;
    let listed: Vec<_> = addresses
        .iter()
        .take(LISTED)
        .map(IpAddr::to_string)
        .collect();
    match addresses.len().saturating_sub(LISTED) {
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    }
}
