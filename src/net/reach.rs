//! Restricts redirects and links to loopback and link-local addresses.

use std::net::IpAddr;

use url::{Host, Url};

use crate::reference::is_loopback;

/// Whether a response from `from` may redirect or refer to `to`. Prevents a
/// remote host from using this program to reach services on this machine or its
/// link (SSRF). A loopback server may refer to another one.
pub(crate) fn may_lead(from: &Url, to: &Url) -> bool {
    let reach = reach(to);
    from.host() == to.host()
        || reach == Reach::Far
        || (reach == Reach::Machine && self::reach(from) == Reach::Machine)
}

#[derive(PartialEq, Eq)]
enum Reach {
    Machine,
    /// Link-local, where clouds serve metadata and credentials of their
    /// machines.
    Link,
    Far,
}

fn reach(url: &Url) -> Reach {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => address.to_canonical(),
        Some(Host::Domain(name)) => {
            // A trailing dot makes no difference to a name.
            let name = name.strip_suffix('.').unwrap_or(name);
            let here = is_loopback(name) || name.ends_with(".localhost");
            return if here { Reach::Machine } else { Reach::Far };
        }
        None => return Reach::Far,
    };
    let on_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    match address.is_loopback() || address.is_unspecified() {
        true => Reach::Machine,
        false if on_link => Reach::Link,
        false => Reach::Far,
    }
}
