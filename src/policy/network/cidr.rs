//! Networks in CIDR notation ([RFC 4632], [RFC 4291] 2.3).
//!
//! [RFC 4632]: https://www.rfc-editor.org/rfc/rfc4632
//! [RFC 4291]: https://www.rfc-editor.org/rfc/rfc4291#section-2.3

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::host::parse_port;
use crate::policy::error::InvalidPermission;

/// `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// No bit is set behind the prefix.
    address: IpAddr,
    prefix: u8,
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits())
                    .checked_shr(shift)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }

    /// Whether all of `other` is in `self`.
    pub fn covers(&self, other: &Network) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// Bits of the network's own part.
    pub fn prefix(&self) -> u8 {
        self.prefix
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
        let prefix = match prefix.parse::<u8>() {
            Ok(prefix) if digits && prefix <= widest => prefix,
            _ => return Err(wrong(format!("the prefix length is 0 to {widest}"))),
        };
        let network = Network { address, prefix }.masked();
        if network.address != address {
            return Err(wrong(format!(
                "bits are set behind the prefix; `{network}` is the network"
            )));
        }
        Ok(network)
    }
}

impl Network {
    fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Network { address, ..self }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A network, and perhaps the one port: `10.0.0.0/8`, `10.0.0.0/8:5432`,
/// `[fd00::/8]:443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CidrRule {
    pub network: Network,
    /// `None`: any port.
    pub port: Option<u16>,
}

impl CidrRule {
    pub fn contains(&self, address: SocketAddr) -> bool {
        self.network.contains(address.ip().to_canonical())
            && self.port.is_none_or(|port| port == address.port())
    }

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
                Some((network, rest)) => (network, rest.strip_prefix(':')),
                None => (text, None),
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
        match (self.network.address, self.port) {
            (_, None) => write!(f, "{}", self.network),
            (IpAddr::V4(_), Some(port)) => write!(f, "{}:{port}", self.network),
            (IpAddr::V6(_), Some(port)) => write!(f, "[{}]:{port}", self.network),
        }
    }
}
