//! Who may be talked to.

use std::net::SocketAddr;

use super::special::{endpoints, is_nobodys, is_public};
use super::{Host, HostPattern, Hosts, NetworkPermissions, NetworkRule, Scheme};
use crate::policy::{Decision, Reason};

/// The name that always means this machine ([RFC 6761]).
///
/// [RFC 6761]: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
const LOCALHOST: &str = "localhost";

const NEVER: Decision = Decision::Denied(Reason::Never);
const BY_RULE: Decision = Decision::Denied(Reason::DeniedByRule);

impl NetworkPermissions {
    /// Whether a request may be made to `host`, a name or an address in any
    /// notation. What a name resolves to is judged by
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

    /// Whether `address`, which the granted `host` resolved to, may be
    /// connected to.
    ///
    /// A public address may, unless denied. Any other only when a CIDR or that
    /// very address is allowed, or for loopback when `localhost` is.
    pub fn address(&self, host: &str, address: SocketAddr) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return NEVER;
        };
        if is_nobodys(address.ip()) {
            return NEVER;
        }
        // A deny of one scheme was minded when the request was judged.
        let whole = (None, Some(address.port()));
        if self.denies(Some(&host), address) || self.denies_name(&host, whole) {
            return BY_RULE;
        }
        Decision::granted(self.is_asked_for(&host, address) && self.is_reachable(&host, address))
    }

    /// Whether a name may be resolved: one to which some request is granted.
    /// An address resolves to itself: who may use it may ask for it.
    pub fn lookup(&self, host: &str) -> Decision {
        let Ok(host) = Host::parse(host) else {
            return NEVER;
        };
        // A deny of one scheme or port leaves others to resolve the name for.
        if self.denies_name(&host, (None, None)) {
            return BY_RULE;
        }
        Decision::granted(self.allow.iter().any(|rule| match (rule, &host) {
            (NetworkRule::Host(own), _) => own.hosts.grants(&host),
            (NetworkRule::Cidr(own), Host::Address(address)) => own.network.contains(*address),
            (NetworkRule::Cidr(_), Host::Name(_)) => false,
        }))
    }

    /// Whether a raw socket may reach `address`: a CIDR or a literal address
    /// without a scheme says so, with its port.
    pub fn socket(&self, address: SocketAddr) -> Decision {
        if is_nobodys(address.ip()) {
            return NEVER;
        }
        if self.denies(None, address) {
            return BY_RULE;
        }
        Decision::granted(self.networks_allow(address) || self.literals_allow(address))
    }

    /// Whether some rule is about connections to this host: by its name or,
    /// for an address that is asked for as one, by its network.
    fn is_asked_for(&self, host: &Host, address: SocketAddr) -> bool {
        let named = |own: &HostPattern| own.hosts.grants(host) && own.reaches(address.port());
        hosts(&self.allow).any(named) || is_itself(host, address) && self.networks_allow(address)
    }

    /// Whether an address may be reached under a name that is granted.
    fn is_reachable(&self, host: &Host, address: SocketAddr) -> bool {
        is_public(address.ip())
            || self.networks_allow(address)
            || self.literals_allow(address)
            || self.means(host, address)
    }

    /// Whether a host is allowed by this very name, and the name can mean
    /// nothing but the address.
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

/// Whether a host is the address that it stands for.
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
