//! Decisions on requests, connections, DNS lookups and sockets.

use std::net::SocketAddr;

use super::special::{endpoints, is_nobodys, is_public};
use super::{Host, HostPattern, Hosts, NetworkPermissions, NetworkRule, Scheme};
use crate::policy::{Decision, Reason};

/// The name that always resolves to the loopback address ([RFC 6761]).
///
/// [RFC 6761]: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
const LOCALHOST: &str = "localhost";

const NEVER: Decision = Decision::Denied(Reason::Never);
const BY_RULE: Decision = Decision::Denied(Reason::DeniedByRule);

impl NetworkPermissions {
    /// Whether an HTTP request may be sent to `host`, a name or an address in
    /// any notation. The addresses that a name resolves to are checked by
    /// [`NetworkPermissions::address`].
    pub fn request(&self, scheme: Scheme, host: &str, port: u16) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return NEVER;
        };
        let asked = (Some(scheme), Some(port));
        let mut allowed = hosts(&self.allow).any(|own| own.hosts.grants(&host) && own.fits(asked));
        let mut denied = self.denies_name(&host, asked);
        if let Host::Address(ip) = host {
            if is_nobodys(ip) {
                return NEVER;
            }
            let address = SocketAddr::new(ip, port);
            allowed |= self.networks_allow(address);
            denied |= self.denies(Some(&host), address);
        }
        match denied {
            true => BY_RULE,
            false => Decision::granted(allowed),
        }
    }

    /// Whether a connection may be made to `address`, to which `host` resolved.
    /// [`NetworkPermissions::request`] must have allowed `host`.
    ///
    /// A public address is allowed unless a rule denies it. Any other address
    /// needs an allow rule for its network or for the literal address; loopback
    /// is also allowed by a rule for `localhost`.
    pub fn address(&self, host: &str, address: SocketAddr) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return NEVER;
        };
        if is_nobodys(address.ip()) {
            return NEVER;
        }
        // Deny rules with a scheme were applied in `request`; the scheme is
        // not known here.
        let whole = (None, Some(address.port()));
        if self.denies(Some(&host), address) || self.denies_name(&host, whole) {
            return BY_RULE;
        }
        Decision::granted(self.is_asked_for(&host, address) && self.is_reachable(&host, address))
    }

    /// Whether a name may be resolved: an allow rule for some request to it is
    /// enough. A literal address resolves to itself, so a rule for its network
    /// is enough too.
    pub fn lookup(&self, host: &str) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return NEVER;
        };
        // A deny rule for one scheme or port leaves the name usable with the others.
        if self.denies_name(&host, (None, None)) {
            return BY_RULE;
        }
        Decision::granted(self.allow.iter().any(|rule| match (rule, &host) {
            (NetworkRule::Host(own), _) => own.hosts.grants(&host),
            (NetworkRule::Cidr(own), Host::Address(address)) => own.network.contains(*address),
            (NetworkRule::Cidr(_), Host::Name(_)) => false,
        }))
    }

    /// Whether a raw socket may connect to `address`. It needs an allow rule
    /// with a CIDR or a literal address, without a scheme, and with a matching
    /// port.
    pub fn socket(&self, address: SocketAddr) -> Decision {
        if is_nobodys(address.ip()) {
            return NEVER;
        }
        if self.denies(None, address) {
            return BY_RULE;
        }
        Decision::granted(self.networks_allow(address) || self.literals_allow(address))
    }

    /// Whether an allow rule matches the host by name or, if the host is a
    /// literal address, by its network.
    fn is_asked_for(&self, host: &Host, address: SocketAddr) -> bool {
        let named = |own: &HostPattern| own.hosts.grants(host) && own.reaches(address.port());
        hosts(&self.allow).any(named) || is_itself(host, address) && self.networks_allow(address)
    }

    /// Whether the address itself may be reached, once the host is allowed.
    fn is_reachable(&self, host: &Host, address: SocketAddr) -> bool {
        is_public(address.ip())
            || self.networks_allow(address)
            || self.literals_allow(address)
            || self.means(host, address)
    }

    /// Whether an allow rule names exactly this host, and the host can only
    /// mean this address: a literal address, or `localhost` for loopback.
    fn means(&self, host: &Host, address: SocketAddr) -> bool {
        let local = matches!(host, Host::Name(name) if name == LOCALHOST)
            && address.ip().to_canonical().is_loopback();
        let this = |own: &HostPattern| {
            matches!(&own.hosts, Hosts::One(one) if one == host) && own.reaches(address.port())
        };
        (local || is_itself(host, address)) && hosts(&self.allow).any(this)
    }

    fn denies_name(&self, host: &Host, asked: (Option<Scheme>, Option<u16>)) -> bool {
        hosts(&self.deny).any(|own| own.hosts.contains(host) && own.fits(asked))
    }

    fn networks_allow(&self, address: SocketAddr) -> bool {
        (self.allow.iter())
            .any(|rule| matches!(rule, NetworkRule::Cidr(own) if own.contains(address)))
    }

    /// Whether an allow rule without a scheme names this literal address.
    fn literals_allow(&self, address: SocketAddr) -> bool {
        let literal = Hosts::One(Host::Address(address.ip().to_canonical()));
        hosts(&self.allow).any(|own| own.hosts == literal && own.fits((None, Some(address.port()))))
    }

    /// Whether a deny rule matches the address or an IPv4 address embedded in
    /// it. A rule with a scheme and a literal address matches all connections
    /// to the address except those made under that literal as `host`: `request`
    /// has decided these with the scheme known.
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

/// Whether the host is the literal form of the address.
fn is_itself(host: &Host, address: SocketAddr) -> bool {
    *host == Host::Address(address.ip().to_canonical())
}

fn hosts(rules: &[NetworkRule]) -> impl Iterator<Item = &HostPattern> {
    rules.iter().filter_map(|rule| match rule {
        NetworkRule::Host(pattern) => Some(pattern),
        NetworkRule::Cidr(_) => None,
    })
}

impl HostPattern {
    /// Whether scheme and port match the pattern. `None` means any, and only
    /// matches a pattern without that part.
    fn fits(&self, (scheme, port): (Option<Scheme>, Option<u16>)) -> bool {
        (self.scheme.is_none() || self.scheme == scheme)
            && (self.port.is_none() || self.port == port)
    }

    /// Whether the port matches, whatever the scheme.
    fn reaches(&self, port: u16) -> bool {
        self.port.is_none_or(|own| own == port)
    }
}
