//! Hosts that never leave this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `host` (without a port; IPv6 with or without brackets) is this
/// machine: `localhost`, `127.0.0.0/8` or `::1`.
pub fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Ipv4Addr::is_loopback(&address),
        Ok(IpAddr::V6(address)) => Ipv6Addr::is_loopback(&address),
        Err(_) => bare.eq_ignore_ascii_case("localhost"),
    }
}
