//! Where a host may send this program.

use std::net::IpAddr;

use url::{Host, Url};

use crate::reference::is_loopback;

/// Whether what answers at `from` may lead to `to`. What listens on this
/// machine or its link is for no other host to reach through this program; but
/// one server of this machine may well have another beside it.
pub(crate) fn may_lead(from: &Url, to: &Url) -> bool {
    let reach = reach(to);
    from.host() == to.host()
        || reach == Reach::Far
        || (reach == Reach::Machine && self::reach(from) == Reach::Machine)
}

#[derive(PartialEq, Eq)]
enum Reach {
    Machine,
    /// Where clouds keep the credentials of their machines.
    Link,
    Far,
}

fn reach(url: &Url) -> Reach {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => address.to_canonical(),
        Some(Host::Domain(name)) => {
            // With a dot at its end it is the same name.
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
