//! What a component may reach over the network.

mod cidr;
mod host;
mod special;

use std::net::{IpAddr, SocketAddr};

pub use cidr::{CidrRule, Network};
pub use host::{Host, HostPattern, Hosts, Scheme};
pub use special::is_public;

use super::Decision;

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

impl NetworkPermissions {
    /// Whether a request may be made to `host`, which is a name or an address
    /// in any notation. What a name resolves to is judged by
    /// [`NetworkPermissions::address`].
    pub fn request(&self, scheme: Scheme, host: &str, port: u16) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return Decision::Denied;
        };
        if let Host::Address(address) = host {
            let address = SocketAddr::new(address, port);
            let asked =
                (self.allow.iter()).any(|rule| rule.is_for(Some(scheme), &host, Some(port)));
            let cidr = self.allow.iter().any(|rule| rule.contains(address));
            let denied = (self.deny.iter())
                .any(|rule| rule.is_for(Some(scheme), &host, Some(port)) || rule.contains(address));
            let reachable = is_public(address.ip()) || self.names_address(address) || cidr;
            return Decision::from((asked || cidr) && reachable && !denied);
        }
        let allowed = (self.allow.iter()).any(|rule| rule.is_for(Some(scheme), &host, Some(port)));
        let denied = (self.deny.iter()).any(|rule| rule.is_for(Some(scheme), &host, Some(port)));
        Decision::from(allowed && !denied)
    }

    /// Whether `address`, which the granted `host` resolved to, may be
    /// connected to.
    ///
    /// A public address may, unless denied. Any other only when a CIDR or that
    /// very address is allowed, or for loopback when `localhost` is.
    pub fn address(&self, host: &str, address: SocketAddr) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return Decision::Denied;
        };
        let port = Some(address.port());
        if self
            .deny
            .iter()
            .any(|rule| rule.is_for(None, &host, port) || rule.reaches(address))
        {
            return Decision::Denied;
        }
        let by_host = self
            .allow
            .iter()
            .any(|rule| rule.is_for_any_scheme(&host, port));
        let by_address =
            self.allow.iter().any(|rule| rule.contains(address)) || self.names_address(address);
        let local =
            host == Host::Name("localhost".to_owned()) && address.ip().to_canonical().is_loopback();
        let exactly = self.allow.iter().any(|rule| matches!(rule, NetworkRule::Host(pattern) if pattern.hosts == Hosts::One(host.clone())));
        Decision::from(by_address || by_host && (is_public(address.ip()) || local && exactly))
    }

    /// Whether a name may be resolved.
    pub fn lookup(&self, host: &str) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return Decision::Denied;
        };
        let allowed = self
            .allow
            .iter()
            .any(|rule| rule.is_for_any_scheme(&host, None));
        let denied = self.deny.iter().any(|rule| {
            matches!(rule, NetworkRule::Host(HostPattern { scheme: None, hosts, port: None }) if hosts.contains(&host))
        });
        Decision::from(allowed && !denied)
    }

    /// Whether a raw socket may reach `address`: a CIDR or a literal address
    /// says so, with its port.
    pub fn socket(&self, address: SocketAddr) -> Decision {
        let denied = self.deny.iter().any(|rule| rule.reaches(address));
        let allowed =
            self.allow.iter().any(|rule| rule.contains(address)) || self.names_address(address);
        Decision::from(allowed && !denied)
    }

    /// Whether a literal address without a scheme is allowed.
    fn names_address(&self, address: SocketAddr) -> bool {
        let host = Hosts::One(Host::Address(address.ip().to_canonical()));
        self.allow.iter().any(|rule| {
            matches!(rule, NetworkRule::Host(pattern) if pattern.hosts == host
                && pattern.port.is_none_or(|port| port == address.port()))
        })
    }
}

impl NetworkRule {
    fn is_for(&self, scheme: Option<Scheme>, host: &Host, port: Option<u16>) -> bool {
        match self {
            NetworkRule::Host(pattern) => {
                (pattern.scheme.is_none() || pattern.scheme == scheme)
                    && pattern.hosts.contains(host)
                    && (pattern.port.is_none() || pattern.port == port)
            }
            NetworkRule::Cidr(_) => false,
        }
    }

    fn is_for_any_scheme(&self, host: &Host, port: Option<u16>) -> bool {
        matches!(self, NetworkRule::Host(pattern) if pattern.hosts.contains(host)
            && (port.is_none() || pattern.port.is_none() || pattern.port == port))
    }

    /// Whether the rule is a network with this address in it.
    fn contains(&self, address: SocketAddr) -> bool {
        matches!(self, NetworkRule::Cidr(rule) if rule.contains(address))
    }

    /// Whether the rule, as a deny, is about this address.
    fn reaches(&self, address: SocketAddr) -> bool {
        match self {
            NetworkRule::Cidr(rule) => rule.contains(address),
            NetworkRule::Host(pattern) => {
                pattern.hosts == Hosts::One(Host::Address(IpAddr::to_canonical(&address.ip())))
                    && pattern.port.is_none_or(|port| port == address.port())
            }
        }
    }

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
