//! Properties of every rule, tested with generated ones.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::*;

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,4}(\\.[a-z0-9]{1,4}){0,3}".prop_filter("a name", |name| {
        // A name that ends in digits is an address or invalid.
        !name
            .rsplit('.')
            .next()
            .unwrap()
            .starts_with(|c: char| c.is_ascii_digit())
    })
}

const SPECIAL: &[&str] = &[
    "127.0.0.1",
    "169.254.169.254",
    "10.0.0.1",
    "::1",
    "64:ff9b::7f00:1",
];

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u16; 8]>().prop_map(IpAddr::from),
        proptest::sample::select(SPECIAL).prop_map(|text| text.parse().unwrap()),
    ]
}

/// Returns the network with a prefix of `bits` bits that contains the address.
fn network(address: IpAddr, bits: u8) -> String {
    let masked = match address.to_canonical() {
        IpAddr::V4(address) => {
            let bits = bits.min(32);
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            (IpAddr::from((address.to_bits() & mask).to_be_bytes()), bits)
        }
        IpAddr::V6(address) => {
            // Networks that contain IPv4-mapped addresses among others are refused, except all of
            // IPv6.
            let is_refused = (0xffff_u128 << 32 ^ address.to_bits()).leading_zeros() >= bits.into();
            let bits = if is_refused { 0 } else { bits };
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            (IpAddr::from((address.to_bits() & mask).to_be_bytes()), bits)
        }
    };
    format!("{}/{}", masked.0, masked.1)
}

fn rule() -> impl Strategy<Value = String> {
    let port = proptest::option::of(1..=u16::MAX);
    let host = (
        proptest::option::of(proptest::sample::select(&["http", "https"][..])),
        prop_oneof![
            name(),
            name().prop_map(|name| format!("*.{name}")),
            Just("*".to_owned())
        ],
        port,
    );
    let host = host.prop_map(|(scheme, name, port)| {
        let scheme = scheme
            .map(|scheme| format!("{scheme}://"))
            .unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("host: '{scheme}{name}{port}'")
    });
    let cidr = (address(), 0..=128u8);
    let cidr = cidr.prop_map(|(address, bits)| format!("cidr: '{}'", network(address, bits)));
    prop_oneof![host, cidr]
}

fn rules() -> impl Strategy<Value = String> {
    proptest::collection::vec(rule(), 0..4).prop_map(|rules| {
        let rules = rules.iter().map(|rule| format!("{{{rule}}}"));
        rules.collect::<Vec<_>>().join(", ")
    })
}

/// A path, and patterns derived from it.
fn path_and_pattern() -> impl Strategy<Value = (Vec<String>, String)> {
    let segment = ("[a-zé ]{1,5}", 0..4u8, 0..6usize);
    proptest::collection::vec(segment, 1..6).prop_map(|segments| {
        let mut pattern = Vec::new();
        let mut path = Vec::new();
        for (name, how, at) in segments {
            let cut = name.char_indices().nth(at).map_or(name.len(), |(at, _)| at);
            pattern.push(match how {
                0 => "*".to_owned(),
                1 => format!("{}*", &name[..cut]),
                2 => "**".to_owned(),
                _ => name.clone(),
            });
            path.push(name);
        }
        (path, format!("fs:///{}", pattern.join("/")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_at_all_is_read_or_refused(text in "\\PC{0,200}", section in "\\PC{0,60}") {
        let _ = Policy::parse(&text);
        let _ = Policy::parse(&format!("version: '1.0'\npermissions:\n  {section}\n"));
        let _ = (text.parse::<HostPattern>(), text.parse::<CidrRule>());
        let _ = (text.parse::<StorageUri>(), Host::parse(&text));
    }

    #[test]
    fn rules_come_back_as_they_were(allow in rules(), deny in rules(), made in path_and_pattern()) {
        let uri = made.1;
        let policy = policy(&format!(
            "{{network: {{allow: [{allow}], deny: [{deny}]}}, \
             storage: {{allow: [{{uri: '{uri}', access: [read]}}], deny: [{{uri: '{uri}'}}]}}}}"
        ));
        prop_assert_eq!(Policy::parse(&policy.to_yaml()).unwrap(), policy);
    }

    /// A deny rule wins over every allow rule, and is given as the reason.
    #[test]
    fn a_deny_wins(
        allow in rules(),
        host in name(),
        address in address(),
        bits in 0..=128u8,
        port in 1..=u16::MAX,
    ) {
        let denied = Decision::Denied(Reason::DeniedByRule);
        let text = format!("{{network: {{allow: [{allow}], deny: [{{host: '{host}'}}]}}}}");
        let by_name = policy(&text).network;
        prop_assert_eq!(by_name.request(Scheme::Http, &host, port), denied);
        prop_assert_eq!(by_name.lookup(&host), denied);

        let text = format!(
            "{{network: {{allow: [{allow}], deny: [{{cidr: '{}'}}]}}}}",
            network(address, bits)
        );
        let by_network = policy(&text).network;
        let socket = SocketAddr::new(address, port);
        for decision in [
            by_network.socket(socket),
            by_network.address(&host, socket),
            by_network.request(Scheme::Https, &address.to_string(), port),
        ] {
            prop_assert!(!decision.is_allowed());
        }
    }

    #[test]
    fn a_network_has_its_addresses(address in address(), bits in 0..=128u8, port in 1..=u16::MAX) {
        let rule: CidrRule = network(address, bits).parse().unwrap();
        prop_assert!(rule.contains(SocketAddr::new(address, port)));
        prop_assert!(rule.network.covers(&network(address, 128).parse::<CidrRule>().unwrap().network));
        prop_assert_eq!(rule.to_string().parse::<CidrRule>().unwrap(), rule);
    }

    #[test]
    fn a_host_pattern_is_about_what_it_is_made_from(name in name(), label in "[a-z]{1,5}") {
        let below: HostPattern = format!("*.{name}").parse().unwrap();
        let is_below = |text: String| below.hosts.contains(&Host::parse(&text).unwrap());
        let deeper = [format!("{label}.{name}"), format!("{label}.{label}.{name}.")];
        prop_assert!(deeper.into_iter().all(is_below));
        let others = [name.clone(), format!("{label}{name}")];
        prop_assert!(!others.into_iter().any(is_below));
        let itself: HostPattern = name.to_uppercase().parse().unwrap();
        prop_assert!(itself.hosts.contains(&Host::parse(&name).unwrap()));
    }

    #[test]
    fn a_pattern_matches_what_it_is_made_from(made in path_and_pattern()) {
        let (path, uri) = made;
        let rules = |deny: &str| {
            let allow = format!("[{{uri: '{uri}', access: [read, write]}}]");
            let text = format!("{{storage: {{allow: {allow}, deny: [{deny}]}}}}");
            policy(&text).storage.resolve(std::path::Path::new("/"))
        };
        let path = std::path::PathBuf::from(format!("/{}", path.join("/")));
        let allowed = rules("");
        prop_assert_eq!(allowed.access(&path), Access::READ_WRITE);
        for above in path.ancestors().skip(1) {
            prop_assert!(allowed.leads_to_grant(above), "{}", above.display());
        }
        let denied = rules(&format!("{{uri: '{uri}', access: [write]}}"));
        prop_assert_eq!(denied.access(&path), Access::READ);
        prop_assert!(!denied.whole_tree(&path, Access::WRITE).is_allowed());
    }
}
