//! Addresses outside the public internet.
//!
//! The tables follow the IANA special-purpose registries for [IPv4] and [IPv6]
//! (every block that is not globally reachable) and add the multicast blocks
//! and the metadata addresses from which cloud machines get credentials.
//!
//! [IPv4]: https://www.iana.org/assignments/iana-ipv4-special-registry
//! [IPv6]: https://www.iana.org/assignments/iana-ipv6-special-registry

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 blocks that are not public.
const SPECIAL_V4: &[Ipv4Net] = &[
    v4([0, 0, 0, 0], 8),        // this network, RFC 791
    v4([10, 0, 0, 0], 8),       // private use, RFC 1918
    v4([100, 64, 0, 0], 10), // carrier-grade NAT, RFC 6598; 100.100.100.200 is Alibaba's metadata
    v4([127, 0, 0, 0], 8),   // loopback, RFC 1122
    v4([168, 63, 129, 16], 32), // Azure's host services, from a public block
    v4([169, 254, 0, 0], 16), // link-local, RFC 3927; 169.254.169.254 is metadata
    v4([172, 16, 0, 0], 12), // private use, RFC 1918
    v4([192, 0, 0, 0], 24),  // protocol assignments, RFC 6890
    v4([192, 0, 2, 0], 24),  // documentation, RFC 5737
    v4([192, 31, 196, 0], 24), // AS112, RFC 7535
    v4([192, 52, 193, 0], 24), // AMT, RFC 7450
    v4([192, 88, 99, 0], 24), // 6to4 relays, RFC 7526
    v4([192, 168, 0, 0], 16), // private use, RFC 1918
    v4([192, 175, 48, 0], 24), // AS112, RFC 7534
    v4([198, 18, 0, 0], 15), // benchmarking, RFC 2544
    v4([198, 51, 100, 0], 24), // documentation, RFC 5737
    v4([203, 0, 113, 0], 24), // documentation, RFC 5737
    v4([224, 0, 0, 0], 4),   // multicast, RFC 5771
    v4([240, 0, 0, 0], 4),   // reserved and broadcast, RFC 1112
];

/// IPv6 blocks within 2000::/3 that are not public. Everything outside
/// 2000::/3 counts as not public: loopback, unspecified, unique local
/// (fd00:ec2::254 is a metadata address), link-local, multicast.
const SPECIAL_V6: &[Ipv6Net] = &[
    // Protocol assignments, RFC 2928, among them ORCHID and benchmarking.
    // Teredo is in this block too, but is decided by its embedded IPv4
    // addresses.
    v6([0x2001, 0, 0], 23),
    v6([0x2001, 0xdb8, 0], 32),     // documentation, RFC 3849
    v6([0x2620, 0x4f, 0x8000], 48), // AS112, RFC 7534
    v6([0x3fff, 0, 0], 20),         // documentation, RFC 9637
];

const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0], 3);

/// Blocks that a person who approves a network should know of, by name.
const PARTS: &[(&str, &[IpNet])] = &[
    (
        "this machine",
        &[
            IpNet::V4(v4([127, 0, 0, 0], 8)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        ],
    ),
    (
        "private networks",
        &[
            IpNet::V4(v4([10, 0, 0, 0], 8)),
            IpNet::V4(v4([100, 64, 0, 0], 10)),
            IpNet::V4(v4([172, 16, 0, 0], 12)),
            IpNet::V4(v4([192, 168, 0, 0], 16)),
            IpNet::V6(v6([0xfc00, 0, 0], 7)),
        ],
    ),
    (
        "link-local addresses (a cloud's credentials are there)",
        &[
            IpNet::V4(v4([168, 63, 129, 16], 32)),
            IpNet::V4(v4([169, 254, 0, 0], 16)),
            IpNet::V6(v6([0xfe80, 0, 0], 10)),
        ],
    ),
    (
        "IPv4 addresses by way of a translator or tunnel",
        &[
            IpNet::V6(v6([0, 0, 0], 96)),
            IpNet::V6(v6([0x64, 0xff9b, 0], 96)),
            IpNet::V6(v6([0x64, 0xff9b, 1], 48)),
            IpNet::V6(v6([0x2001, 0, 0], 32)),
            IpNet::V6(v6([0x2002, 0, 0], 16)),
        ],
    ),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// Returns the network with these first three segments.
const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// Returns the names of the [`PARTS`] that overlap the network.
pub(super) fn special_parts(network: &IpNet) -> Vec<&'static str> {
    let meets = |block: &IpNet| network.contains(block) || block.contains(network);
    let parts = PARTS.iter();
    parts
        .filter(|(_, blocks)| blocks.iter().any(meets))
        .map(|(name, _)| *name)
        .collect()
}

/// Whether an address belongs to the public internet: global unicast, and no
/// metadata address of a cloud. An IPv6 address with embedded IPv4 addresses is
/// public if all of these are.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address).as_slice() {
            [] => is_public_v6(address),
            carried => carried.iter().copied().all(is_public_v4),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|block| block.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let special = SPECIAL_V6.iter().any(|block| block.contains(&address));
    GLOBAL_UNICAST.contains(&address) && !special
}

/// Whether the address is, or embeds, the unspecified address (`0.0.0.0`,
/// `::`). Operating systems connect to loopback instead, which would bypass the
/// rules for loopback.
pub(super) fn is_nobodys(address: IpAddr) -> bool {
    endpoints(address).iter().any(IpAddr::is_unspecified)
}

/// Returns every address where a connection to `address` may end: the address itself and the IPv4
/// addresses embedded in it.
pub(super) fn endpoints(address: IpAddr) -> Vec<IpAddr> {
    let address = address.to_canonical();
    let mut all = vec![address];
    if let IpAddr::V6(address) = address {
        all.extend(embedded(address).into_iter().map(IpAddr::V4));
    }
    all
}

/// Returns the IPv4 addresses to which a translator or tunnel maps an IPv6 address. (IPv4-mapped
/// addresses have been converted to IPv4 before.)
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // IPv4-compatible, RFC 4291 2.5.5.1; `::` and `::1` are excluded.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => vec![v4(high, low)],
        // NAT64, RFC 6052; the local-use prefix of RFC 8215 is not public at all.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => vec![v4(high, low)],
        // 6to4, RFC 3056.
        [0x2002, high, low, ..] => vec![v4(high, low)],
        // Teredo, RFC 4380: the server, and the client with inverted bits.
        [0x2001, 0, s1, s2, _, _, c1, c2] => vec![v4(s1, s2), v4(!c1, !c2)],
        _ => Vec::new(),
    }
}
