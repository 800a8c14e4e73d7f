//! The network, as one guest may use it.
//!
//! ```text
//! requests (wasi:http) ── destination ── connector ── exchange
//! messages (wasi:http), before they are sent
//! names (ip-name-lookup) ─────────────── connector
//! sockets (tcp, udp)
//! ```
//!
//! Everything that a guest opened ends with its instance: dropping the handles in its
//! resource table stops the tasks.

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

use super::{DenialKind, Denials, Host, Sandbox};
use crate::policy::{Decision, Reason};
use limits::Place;

pub(super) use connector::Connector;
pub(super) use limits::Places;
pub(super) use messages::context as http_context;
pub use options::NetworkOptions;
pub use resolve::{Resolve, SystemResolver};
pub(in crate::runtime) use shadow::add_to_linker;

/// The network state of one instance.
pub(super) struct Network {
    sandbox: Sandbox,
    denials: Denials,
    host: Host,
    /// Created at first use.
    places: Option<Arc<Places>>,
    /// The permits of open sockets, by their index in the resource table.
    sockets: Vec<(u32, Place)>,
    /// Number of HTTP messages created so far.
    messages: u32,
}

impl Network {
    pub fn new(sandbox: Sandbox, denials: Denials, host: Host) -> Self {
        Network {
            sandbox,
            denials,
            host,
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
            .get_or_insert_with(|| Places::of_one(&self.host.places));
        Arc::clone(places)
    }

    fn grants_anything(&self) -> bool {
        !self.sandbox.network().allow.is_empty()
    }
}

/// Returns the reason to report when all addresses are denied: a rule that denies one is more
/// specific than a missing grant.
fn why(decisions: impl Iterator<Item = Decision>) -> Reason {
    let mut why = Reason::Never;
    for decision in decisions {
        match decision {
            Decision::Denied(Reason::DeniedByRule) => return Reason::DeniedByRule,
            Decision::Denied(Reason::NotGranted) => why = Reason::NotGranted,
            Decision::Denied(Reason::Never) | Decision::Allowed => {}
        }
    }
    why
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
