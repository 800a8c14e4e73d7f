//! Who may be talked to.

use std::net::SocketAddr;

use super::special::{endpoints, is_public};
use super::{Host, HostPattern, Hosts, NetworkPermissions, NetworkRule, Scheme};
use crate::policy::Decision;

/// The name that always means this machine ([RFC 6761]).
///
/// [RFC 6761]: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
const LOCALHOST: &str = "localhost";

impl NetworkPermissions {
    /// Whether a request may be made to `host`, a name or an address in any
    /// notation. What a name resolves to is judged by
    /// [`NetworkPermissions::address`].
    pub fn request(&self, scheme: Scheme, host: &str, port: u16) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return Decision::Denied;
        };
        let asked = (Some(scheme), Some(port));
        let mut allowed = hosts(&self.allow).any(|own| own.hosts.grants(&host) && own.fits(asked));
        let mut denied = hosts(&self.deny).any(|own| own.hosts.contains(&host) && own.fits(asked));
        if let Host::Address(address) = host {
            let address = SocketAddr::new(address, port);
            allowed |= self.networks_allow(address);
            denied |= self.denies(Some(&host), address);
        }
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
        let port = address.port();
        let ip = address.ip().to_canonical();
        let by_network = self.networks_allow(address);
        let granted = hosts(&self.allow).any(|own| own.hosts.grants(&host) && own.reaches(port));
        let itself = host == Host::Address(ip);
        let local = host == Host::Name(LOCALHOST.to_owned()) && ip.is_loopback();
        let exactly = Hosts::One(host.clone());
        let named = (itself || local)
            && hosts(&self.allow).any(|own| own.hosts == exactly && own.reaches(port));
        let reachable = is_public(ip) || by_network || named || self.literals_allow(address);
        let asked_for = granted || itself && by_network;
        // A deny of one scheme was minded when the request was judged.
        let whole = (None, Some(port));
        let denied = self.denies(Some(&host), address)
            || hosts(&self.deny).any(|own| own.hosts.contains(&host) && own.fits(whole));
        Decision::from(asked_for && reachable && !denied)
    }

    /// Whether a name may be resolved: one to which some request is granted.
    /// An address resolves to itself: who may use it may ask for it.
    pub fn lookup(&self, host: &str) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return Decision::Denied;
        };
        let allowed = self.allow.iter().any(|rule| match (rule, &host) {
            (NetworkRule::Host(own), _) => own.hosts.grants(&host),
            (NetworkRule::Cidr(own), Host::Address(address)) => own.network.contains(*address),
            (NetworkRule::Cidr(_), Host::Name(_)) => false,
        });
        // A deny of one scheme or port leaves others to resolve the name for.
        let denied =
            hosts(&self.deny).any(|own| own.hosts.contains(&host) && own.fits((None, None)));
        Decision::from(allowed && !denied)
    }

    /// Whether a raw socket may reach `address`: a CIDR or a literal address
    /// without a scheme says so, with its port.
    pub fn socket(&self, address: SocketAddr) -> Decision {
        let allowed = self.networks_allow(address) || self.literals_allow(address);
        Decision::from(allowed && !self.denies(None, address))
    }

    fn networks_allow(&self, address: SocketAddr) -> bool {
        (self.allow.iter())
            .any(|rule| matches!(rule, NetworkRule::Cidr(own) if own.contains(address)))
    }

    /// Whether this very address is allowed, whatever is spoken there.
    fn literals_allow(&self, address: SocketAddr) -> bool {
        let literal = Hosts::One(Host::Address(address.ip().to_canonical()));
        hosts(&self.allow).any(|own| own.hosts == literal && own.fits((None, Some(address.port()))))
    }

    /// Whether a deny is about the address or one that it leads to. A literal
    /// with a scheme denies every way to that address but the one by its own
    /// name, `host`, which is judged as a request.
    fn denies(&self, host: Option<&Host>, address: SocketAddr) -> bool {
        let ends = endpoints(address.ip());
        let networks = |own: &super::CidrRule| {
            (ends.iter()).any(|end| own.contains(SocketAddr::new(*end, address.port())))
        };
        self.deny.iter().any(|rule| match rule {
            NetworkRule::Cidr(own) => networks(own),
            NetworkRule::Host(own) => {
                own.reaches(address.port())
                    && match &own.hosts {
                        Hosts::Any => own.scheme.is_none(),
                        Hosts::Below(_) | Hosts::One(Host::Name(_)) => false,
                        Hosts::One(one @ Host::Address(end)) => {
                            ends.contains(end) && (own.scheme.is_none() || host != Some(one))
                        }
                    }
            }
        })
    }
}

fn hosts(rules: &[NetworkRule]) -> impl Iterator<Item = &HostPattern> {
    rules.iter().filter_map(|rule| match rule {
        NetworkRule::Host(pattern) => Some(pattern),
        NetworkRule::Cidr(_) => None,
    })
}

impl HostPattern {
    /// Whether the pattern is about all of what is asked; what is not known
    /// could be anything.
    fn fits(&self, (scheme, port): (Option<Scheme>, Option<u16>)) -> bool {
        (self.scheme.is_none() || self.scheme == scheme)
            && (self.port.is_none() || self.port == port)
    }

    /// Whether the pattern is about this port, under some scheme.
    fn reaches(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }
}
