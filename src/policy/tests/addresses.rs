//! Tests which addresses belong to the public internet.

use std::net::SocketAddr;

use super::*;

#[test]
fn public_addresses_are_public() {
    for address in [
        "1.1.1.1",
        "93.184.216.34",
        "::ffff:8.8.8.8",
        "2606:4700:4700::1111",
        "2a00:1450:4001:82b::200e",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn all_others_are_not_in_whatever_form() {
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.0.1",
        "198.19.0.1",
        "203.0.113.9",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "::a9fe:a9fe",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001:db8::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2002:7f00:1::1",
        "2002:a9fe:a9fe::",
        "2001:0:7f00:1::",
        // Teredo: the client's address 10.0.0.1, with its bits inverted.
        "2001:0:808:808:0:0:f5ff:fffe",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn a_granted_name_does_not_lead_to_them() {
    let policy = policy("{network: {allow: [{host: a.example}]}}");
    let to = |address: &str| {
        policy
            .network
            .address("a.example", address.parse().unwrap())
    };
    assert_eq!(to("1.1.1.1:443"), Decision::Allowed);
    for address in [
        "127.0.0.1:443",
        "[64:ff9b::a9fe:a9fe]:443",
        "[2002:a00:1::1]:443",
        "[fd00:ec2::254]:443",
    ] {
        let denied = Decision::Denied(Reason::NotGranted);
        assert_eq!(to(address), denied, "{address}");
    }
}

#[test]
fn nobodys_address_is_never_reached() {
    let everything = policy(
        "{network: {allow: [{cidr: 0.0.0.0/0}, {cidr: '::/0'}, {host: '*'}, \
         {host: 0.0.0.0}, {host: '::'}], deny: [{cidr: 127.0.0.0/8}, {cidr: '::1/128'}]}}",
    );
    let network = &everything.network;
    for host in ["0.0.0.0", "::", "::ffff:0.0.0.0", "64:ff9b::", "2002::"] {
        let address = SocketAddr::new(host.parse().unwrap(), 80);
        let request = network.request(Scheme::Http, host, 80);
        assert!(!request.is_allowed(), "{host}");
        assert!(!network.address(host, address).is_allowed(), "{host}");
        assert!(!network.address("a.example", address).is_allowed());
        assert!(!network.socket(address).is_allowed(), "{host}");
    }
    assert!(network.socket("0.0.0.1:80".parse().unwrap()).is_allowed());
}

#[test]
fn a_network_has_one_notation() {
    for (text, means) in [
        ("::ffff:127.0.0.0/104", "127.0.0.0/8"),
        ("::ffff:7f00:0/104", "127.0.0.0/8"),
        ("::ffff:10.1.2.3/128", "10.1.2.3/32"),
        ("[::ffff:10.0.0.0/104]:443", "10.0.0.0/8:443"),
        ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("0:0::1/128", "::1/128"),
    ] {
        let rule: CidrRule = text.parse().unwrap();
        assert_eq!(rule.to_string(), means, "{text}");
    }
    for text in [
        "::/80",
        "::ffff:0:0/95",
        "::fffe:0:0/95",
        "[fd00::/8]x",
        "[fd00::/8]443",
        "[fd00::/8",
        "fd00::/8]",
        "10.0.0.0/8 ",
        "10.0.0.0/+8",
        "10.0.0.0/8/8",
    ] {
        assert!(text.parse::<CidrRule>().is_err(), "{text}");
    }
    // In an allow rule and a deny rule alike.
    let address = "127.0.0.1:80".parse().unwrap();
    let rules = |list: &str| policy(&format!("{{network: {{{list}}}}}")).network;
    let allowed = rules("allow: [{cidr: \"::ffff:127.0.0.0/104\"}]");
    assert!(allowed.socket(address).is_allowed());
    let denied = rules("allow: [{cidr: 127.0.0.0/8}], deny: [{cidr: \"::ffff:127.0.0.0/104\"}]");
    assert_eq!(
        denied.socket(address),
        Decision::Denied(Reason::DeniedByRule)
    );
}

#[test]
fn a_question_says_what_a_network_holds() {
    for (cidr, words) in [
        ("10.0.0.0/8", ", private networks included"),
        ("10.1.2.3/32", ", private networks included"),
        ("126.0.0.0/7", ", this machine included"),
        (
            "::1/128",
            ", this machine and IPv4 addresses by way of a translator or tunnel included",
        ),
        (
            "169.254.169.254/32",
            ", link-local addresses (a cloud's credentials are there) included",
        ),
        (
            "64:ff9b::/96",
            ", IPv4 addresses by way of a translator or tunnel included",
        ),
        ("8.8.8.0/24", ""),
        ("2606:4700::/32", ""),
    ] {
        let rule = Permission::Network(NetworkRule::Cidr(cidr.parse().unwrap()));
        let asked = rule.to_string();
        assert_eq!(asked, format!("connect to any address in `{cidr}`{words}"));
    }
    for cidr in ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0"] {
        let rule = Permission::Network(NetworkRule::Cidr(cidr.parse().unwrap()));
        assert!(rule.to_string().contains("private networks"), "{rule}");
    }
}
