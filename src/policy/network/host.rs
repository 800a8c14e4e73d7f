//! Hosts, and the patterns of hosts in network rules.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::special::is_public;
use crate::policy::error::InvalidPermission;

/// Longest name in DNS, as text.
const LONGEST: usize = 253;

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scheme {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                InvalidPermission::new("a scheme", text, "only `http` and `https` can be granted")
            })
    }
}

/// A host in normal form, so that equal hosts compare equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// ASCII, lower case, no trailing dot.
    Name(String),
    /// IPv4-mapped IPv6 (`::ffff:a.b.c.d`) is stored as IPv4.
    Address(IpAddr),
}

impl Host {
    /// Parses a host as in a URL ([WHATWG][url]): IDNA, any notation of IPv4,
    /// and IPv6 with or without brackets.
    ///
    /// [url]: https://url.spec.whatwg.org/#host-parsing
    pub fn parse(text: &str) -> Result<Self, InvalidPermission> {
        let wrong = |reason: &str| InvalidPermission::new("a host", text, reason);
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Host::Address(address.to_canonical()));
        }
        if text.contains('%') {
            return Err(wrong("`%` is not allowed in a host"));
        }
        match url::Host::parse(text) {
            Ok(url::Host::Ipv4(address)) => Ok(Host::Address(address.into())),
            Ok(url::Host::Ipv6(address)) => Ok(Host::Address(IpAddr::from(address).to_canonical())),
            Ok(url::Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(&name);
                if name.len() > LONGEST || name.split('.').any(|l| l.is_empty() || l.len() > 63) {
                    return Err(wrong("a label has 1 to 63 characters, a name at most 253"));
                }
                Ok(Host::Name(name.to_owned()))
            }
            Err(url::ParseError::EmptyHost) => Err(wrong("it has no name")),
            Err(error) => Err(wrong(&error.to_string())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// The hosts that a [`HostPattern`] matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hosts {
    /// `*`: every name, and every public address.
    Any,
    /// `*.example.com`: every subdomain at any depth, but not `example.com`
    /// itself.
    Below(String),
    /// One name or address.
    One(Host),
}

impl Hosts {
    /// Whether the pattern matches the host.
    pub fn contains(&self, host: &Host) -> bool {
        match (self, host) {
            (Hosts::Any, _) => true,
            (Hosts::Below(parent), Host::Name(name)) => name
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.ends_with('.')),
            (Hosts::Below(_), Host::Address(_)) => false,
            (Hosts::One(one), host) => one == host,
        }
    }

    /// Whether an allow rule with this pattern grants the host. Unlike
    /// [`Hosts::contains`], `*` excludes addresses that are not public.
    pub fn grants(&self, host: &Host) -> bool {
        let special = matches!(host, Host::Address(address) if !is_public(*address));
        self.contains(host) && !(special && *self == Hosts::Any)
    }

    /// Whether `self` grants everything that `other` grants.
    pub fn covers(&self, other: &Hosts) -> bool {
        match (self, other) {
            // `*` allows the lookup of `localhost`, but no connection to it.
            (Hosts::Any, Hosts::One(Host::Name(name))) => name != "localhost",
            (Hosts::Any, Hosts::Any | Hosts::Below(_)) => true,
            (_, Hosts::One(host)) => self.grants(host),
            (Hosts::Below(parent), Hosts::Below(name)) => {
                parent == name || self.contains(&Host::Name(name.clone()))
            }
            (_, Hosts::Any) | (Hosts::One(_), Hosts::Below(_)) => false,
        }
    }
}

/// `api.example.com`, `*.example.com`, `https://api.example.com:8443`, `*`.
///
/// Without a scheme it matches both `http` and `https`; without a port, any
/// port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    pub scheme: Option<Scheme>,
    pub hosts: Hosts,
    pub port: Option<u16>,
}

impl FromStr for HostPattern {
    type Err = InvalidPermission;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason: &str| InvalidPermission::new("a host", text, reason);
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.parse::<Scheme>()?), rest),
            None => (None, text),
        };
        // A pattern copied from a URL may end with a slash.
        let rest = match scheme {
            Some(_) => rest.strip_suffix('/').unwrap_or(rest),
            None => rest,
        };
        if rest.contains(['/', '?', '#', '@', '\\']) {
            return Err(wrong(
                "only a scheme, a host and a port; no path, user or query",
            ));
        }
        let (name, port) = split_port(rest);
        let port = port.map(|port| parse_port(text, port)).transpose()?;
        let hosts = match name.strip_prefix("*.") {
            _ if name == "*" => Hosts::Any,
            None if name.contains('*') => {
                return Err(wrong(
                    "`*` can replace only the leading labels: `*.example.com`",
                ));
            }
            None => Hosts::One(Host::parse(name)?),
            Some(parent) if parent.contains('*') => {
                return Err(wrong("one leading `*.` matches any depth"));
            }
            Some(parent) => match Host::parse(parent)? {
                Host::Name(parent) => Hosts::Below(parent),
                Host::Address(_) => {
                    return Err(wrong("use a `cidr` for a range of addresses"));
                }
            },
        };
        Ok(HostPattern {
            scheme,
            hosts,
            port,
        })
    }
}

/// Splits off `:port`, but not the colons of an IPv6 address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if text.parse::<IpAddr>().is_ok() {
        return (text, None);
    }
    match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    }
}

/// Parses a port of decimal digits, 1 to 65535.
pub(super) fn parse_port(whole: &str, port: &str) -> Result<u16, InvalidPermission> {
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(InvalidPermission::new(
            "a host or network with a port",
            whole,
            "a port is a number from 1 to 65535",
        )),
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = self.scheme {
            write!(f, "{scheme}://")?;
        }
        match &self.hosts {
            Hosts::Any => f.write_str("*")?,
            Hosts::Below(parent) => write!(f, "*.{parent}")?,
            Hosts::One(host) => write!(f, "{host}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
