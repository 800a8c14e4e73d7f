//! Recognizes loopback hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `host` is loopback: `localhost`, `127.0.0.0/8` or `::1`. `host` has
/// no port; IPv6 may have brackets.
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
