//! Network permissions: hosts and networks that a component may reach.

mod cidr;
mod decide;
mod host;
mod special;

pub use cidr::{CidrRule, Network};
pub use host::{Host, HostPattern, Hosts, Scheme};
pub use special::is_public;

/// One entry of `network.allow` or `network.deny`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NetworkRule {
    Host(HostPattern),
    Cidr(CidrRule),
}

/// Nothing is reachable unless allowed; a deny rule takes precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPermissions {
    pub allow: Vec<NetworkRule>,
    pub deny: Vec<NetworkRule>,
}

impl NetworkRule {
    /// Whether an allow rule `self` grants everything that `other` would.
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
