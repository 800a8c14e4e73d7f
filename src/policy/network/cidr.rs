//! Networks in CIDR notation ([RFC 4632], [RFC 4291] 2.3).
//!
//! [RFC 4632]: https://www.rfc-editor.org/rfc/rfc4632
//! [RFC 4291]: https://www.rfc-editor.org/rfc/rfc4291#section-2.3

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::host::parse_port;
use super::special::special_parts;
use crate::policy::error::InvalidPermission;

/// `10.0.0.0/8`, `fd00::/8`.
///
/// No host bits are set. IPv4-mapped IPv6 networks (`::ffff:10.0.0.0/104`) are
/// stored as IPv4 networks, as addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

/// IPv4-mapped IPv6 addresses ([RFC 4291] 2.5.5.2).
///
/// [RFC 4291]: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

impl Network {
    /// Whether `address`, which must not be IPv4-mapped, is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether all of `other` is in `self`.
    pub fn covers(&self, other: &Network) -> bool {
        self.0.contains(&other.0)
    }

    /// Returns the prefix length in bits.
    pub fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Returns the names of the special-purpose blocks that overlap the network, such as `private
    /// networks`, to show them to the person who approves the rule.
    pub fn special_parts(&self) -> Vec<&'static str> {
        special_parts(&self.0)
    }
}

impl FromStr for Network {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason: String| InvalidPermission::new("a network", text, reason);
        let Some((address, prefix)) = text.split_once('/') else {
            return Err(wrong(
                "an address and a prefix length, as in `10.0.0.0/8`".to_owned(),
            ));
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| wrong(format!("`{address}` is not an IP address")))?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
        let number = prefix.parse().ok().filter(|_| digits);
        let network = number.and_then(|prefix| IpNet::new(address, prefix).ok());
        let Some(network) = network else {
            return Err(wrong(format!("the prefix length must be 0 to {widest}")));
        };
        if network.trunc() != network {
            return Err(wrong(format!(
                "it has bits set after the prefix; the network is `{}`",
                network.trunc()
            )));
        }
        one_notation(network).map(Network).ok_or_else(|| {
            wrong(
                "it contains IPv4 addresses in IPv6 notation among others; \
                 give the IPv4 network separately"
                    .to_owned(),
            )
        })
    }
}

/// Converts an IPv4-mapped network to IPv4, so that equal networks compare equal. `None` if the
/// network contains both IPv4-mapped and other addresses, except `::/0`, which means all of IPv6.
fn one_notation(network: IpNet) -> Option<IpNet> {
    match network {
        IpNet::V6(network) if MAPPED.contains(&network) => {
            let address = network.network().to_ipv4_mapped()?;
            let prefix = network.prefix_len() - MAPPED.prefix_len();
            Ipv4Net::new(address, prefix).ok().map(IpNet::V4)
        }
        IpNet::V6(network) if network.prefix_len() > 0 && network.contains(&MAPPED) => None,
        network => Some(network),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A network with an optional port: `10.0.0.0/8`, `10.0.0.0/8:5432`,
/// `[fd00::/8]:443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CidrRule {
    pub network: Network,
    /// `None` means any port.
    pub port: Option<u16>,
}

impl CidrRule {
    /// Whether address and port match. IPv4-mapped addresses count as IPv4.
    pub fn contains(&self, address: SocketAddr) -> bool {
        self.network.contains(address.ip().to_canonical())
            && self.port.is_none_or(|port| port == address.port())
    }

    /// Whether `self` matches every address and port that `other` matches.
    pub fn covers(&self, other: &CidrRule) -> bool {
        self.network.covers(&other.network) && (self.port.is_none() || self.port == other.port)
    }
}

impl FromStr for CidrRule {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (network, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((network, "")) => (network, None),
                Some((network, rest)) if rest.starts_with(':') => (network, Some(&rest[1..])),
                _ => (text, None),
            },
            None => match text.split_once('/') {
                Some((_, prefix)) if prefix.contains(':') => {
                    let cut = text.len() - prefix.len() + prefix.find(':').unwrap_or(0);
                    (&text[..cut], Some(&text[cut + 1..]))
                }
                _ => (text, None),
            },
        };
        Ok(CidrRule {
            network: network.parse()?,
            port: port.map(|port| parse_port(text, port)).transpose()?,
        })
    }
}

impl fmt::Display for CidrRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.network.0, self.port) {
            (_, None) => write!(f, "{}", self.network),
            (IpNet::V4(_), Some(port)) => write!(f, "{}:{port}", self.network),
            (IpNet::V6(_), Some(port)) => write!(f, "[{}]:{port}", self.network),
        }
    }
}
