//! What a component may reach over the network.

mod cidr;
mod decide;
mod host;
mod special;

pub use cidr::{CidrRule, Network};
pub use host::{Host, HostPattern, Hosts, Scheme};
pub use special::is_public;

/// One line of a network list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NetworkRule {
    Host(HostPattern),
    Cidr(CidrRule),
}

/// Hosts and networks; nothing is reachable unless allowed, and a deny wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPermissions {
    pub allow: Vec<NetworkRule>,
    pub deny: Vec<NetworkRule>,
}

impl NetworkRule {
    /// Whether all that `other` grants is granted by `self`.
    pub fn covers(&self, other: &NetworkRule) -> bool {
        match (self, other) {
            (NetworkRule::Host(granted), NetworkRule::Host(asked)) => {
                (granted.scheme.is_none() || granted.scheme == asked.scheme)
                    && (granted.port.is_none() || granted.port == asked.port)
                    && granted.hosts.covers(&asked.hosts)
            }
            (NetworkRule::Cidr(granted), NetworkRule::Cidr(asked)) => granted.covers(asked),
            (NetworkRule::Cidr(granted), NetworkRule::Host(asked)) => match &asked.hosts {
                Hosts::One(Host::Address(address)) => {
                    granted.network.contains(*address)
                        && (granted.port.is_none() || granted.port == asked.port)
                }
                _ => false,
            },
            (NetworkRule::Host(_), NetworkRule::Cidr(_)) => false,
        }
    }
}
