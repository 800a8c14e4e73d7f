//! Guests' name lookups and raw sockets.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use wassette::runtime::DenialKind;

use crate::support::dns::Dns;
use crate::support::network_guest::{NetworkGuest, Rules, socket};

fn allow<'a>(allow: &'a [&'a str]) -> Rules<'a> {
    Rules { allow, deny: &[] }
}

fn ipv4(address: [u8; 4]) -> Value {
    json!({"tag": "ipv4", "val": address})
}

#[tokio::test(flavor = "multi_thread")]
async fn only_granted_names_are_looked_up() {
    let dns = Dns::new([
        ("a.test", &[[127, 0, 0, 1], [10, 0, 0, 1]]),
        ("secret.test", &[[127, 0, 0, 1]]),
    ]);
    let mut guest = NetworkGuest::with_resolver(Rules::default(), dns.clone());
    let rules = Rules {
        allow: &["host: *.test", "cidr: 127.0.0.0/8:5432"],
        deny: &["host: secret.test"],
    };
    let names = [
        (Rules::default(), "a.test"),
        (allow(&["cidr: 0.0.0.0/0"]), "a.test"),
        (allow(&["host: b.test"]), "a.test"),
        (rules, "secret.test"),
        (rules, "test"),
        (rules, "payload-in-a-label.attacker.example"),
    ];
    for (rules, name) in names {
        let tried = guest.granted(rules);
        let tried = tried.ask("look-up", json!({ "name": name })).await;
        assert_eq!(tried.answer, "access-denied", "{name}");
        assert_eq!(tried.denied(), (DenialKind::Lookup, name));
    }
    assert!(dns.asked().is_empty(), "nobody was asked");

    // Returns only the granted addresses.
    let found = guest.granted(rules);
    let found = found.ask("look-up", json!({"name": "A.test."})).await;
    assert_eq!(found.answer, json!([ipv4([127, 0, 0, 1])]));
    assert!(found.denials.is_empty());
    let prohibited = guest.granted(allow(&["host: a.test"]));
    let prohibited = prohibited.ask("look-up", json!({"name": "a.test"})).await;
    assert_eq!(prohibited.answer, "access-denied");
    let what = "a.test at 127.0.0.1, 10.0.0.1";
    assert_eq!(prohibited.denied(), (DenialKind::Address, what));
    let unknown = guest.granted(rules);
    let unknown = unknown.ask("look-up", json!({"name": "b.test"})).await;
    assert_eq!(unknown.answer, "name-unresolvable");
    assert_eq!(dns.asked(), ["a.test", "a.test", "b.test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn literal_addresses_are_asked_of_nobody() {
    let dns = Dns::new([]);
    let guest = NetworkGuest::with_resolver(Rules::default(), dns.clone());
    for name in ["127.0.0.1", "0x7f.1", "::ffff:127.0.0.1"] {
        let tried = guest.ask("look-up", json!({ "name": name })).await;
        assert_eq!(tried.answer, json!([ipv4([127, 0, 0, 1])]), "{name}");
    }
    let malformed = guest.ask("look-up", json!({"name": "a b"})).await;
    assert_eq!(malformed.answer, "invalid-argument");
    assert!(dns.asked().is_empty());
}

/// Returns the bytes that it receives, over TCP and UDP on one port.
struct Echo {
    port: u16,
    tasks: [JoinHandle<()>; 2],
}

impl Echo {
    async fn start() -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        let streams = tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let mut bytes = [0; 64];
                let length = stream.read(&mut bytes).await.unwrap();
                stream.write_all(&bytes[..length]).await.unwrap();
            }
        });
        let datagrams = tokio::spawn(async move {
            let mut bytes = [0; 64];
            while let Ok((length, client)) = udp.recv_from(&mut bytes).await {
                udp.send_to(&bytes[..length], client).await.unwrap();
            }
        });
        Echo {
            port: address.port(),
            tasks: [streams, datagrams],
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_reach_granted_networks_and_ports() {
    let echo = Echo::start().await;
    let port = echo.port;
    let here = format!("cidr: 127.0.0.0/8:{port}");
    let elsewhere = format!("cidr: 127.0.0.0/8:{}", port ^ 1);
    let literal = format!("host: 127.0.0.1:{port}");
    let mut guest = NetworkGuest::new(Rules::default());
    let to_echo = json!({"remote": socket([127, 0, 0, 1], port), "text": "ping"});
    for (protocol, name) in [("tcp", "TCP"), ("udp", "UDP")] {
        for granted in [&here, &literal] {
            let said = guest.granted(allow(&[granted]));
            let said = said.ask(protocol, to_echo.clone()).await;
            assert_eq!(said.answer, "ping", "{protocol} {granted}: {said:?}");
            assert!(said.denials.is_empty());
        }
        let what = format!("{name} to 127.0.0.1:{port}");
        for (allow, deny) in [
            (&[&*elsewhere][..], &[][..]),
            // A grant for a name does not grant its addresses.
            (&["host: localhost", "host: *"], &[]),
            (&["cidr: 127.0.0.2/31"], &[]),
            (&[&*here], &["cidr: 127.0.0.1/32"]),
        ] {
            let tried = guest.granted(Rules { allow, deny });
            let tried = tried.ask(protocol, to_echo.clone()).await;
            assert_eq!(tried.answer, "access-denied", "{protocol} {allow:?}");
            assert_eq!(tried.denied(), (DenialKind::Socket, &*what));
        }
        let tried = guest.granted(Rules::default());
        let tried = tried.ask(protocol, to_echo.clone()).await;
        assert_eq!(tried.answer, "access-denied");
        assert_eq!(tried.denied(), (DenialKind::Socket, name));
    }
}

/// Addresses where clouds serve the credentials of machines, and the IPv6 forms of this machine's
/// addresses.
#[tokio::test(flavor = "multi_thread")]
async fn sockets_do_not_reach_special_addresses() {
    let guest = NetworkGuest::new(allow(&["host: *", "cidr: 10.0.0.0/8", "cidr: fd00::/16"]));
    for protocol in ["tcp", "udp"] {
        for address in ["169.254.169.254", "::1", "fe80::1", "fd01:ec2::254"] {
            let remote = socket(address.parse::<IpAddr>().unwrap(), 80);
            let args = json!({ "remote": remote, "text": "ping" });
            let tried = guest.ask(protocol, args).await;
            assert_eq!(tried.answer, "access-denied", "{protocol} {address}");
            assert_eq!(tried.denied().0, DenialKind::Socket);
        }
        // WASI rejects an IPv4-mapped address in an IPv6 socket.
        let remote = socket("::ffff:127.0.0.1".parse::<IpAddr>().unwrap(), 80);
        let args = json!({ "remote": remote, "text": "ping" });
        let tried = guest.ask(protocol, args).await;
        assert_eq!(tried.answer, "invalid-argument", "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_never_listen() {
    let guest = NetworkGuest::new(allow(&["cidr: 0.0.0.0/0"]));
    for (function, local, what) in [
        (
            "listen",
            socket([127, 0, 0, 1], 0),
            "TCP bound to 127.0.0.1:0",
        ),
        (
            "listen",
            socket([0, 0, 0, 0], 0),
            "TCP listening on 0.0.0.0:",
        ),
        (
            "bind-udp",
            socket([0, 0, 0, 0], 5353),
            "UDP bound to 0.0.0.0:5353",
        ),
    ] {
        let tried = guest.ask(function, json!({ "local": local })).await;
        assert_eq!(tried.answer, "access-denied", "{what}: {tried:?}");
        let (kind, denied) = tried.denied();
        assert_eq!(kind, DenialKind::Socket);
        assert!(denied.starts_with(what), "{denied}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_counted() {
    let mut guest = NetworkGuest::new(allow(&["cidr: 127.0.0.0/8"]));
    let opened = guest.ask("open-sockets", json!({"most": 100})).await;
    assert_eq!(opened.answer, 32);
    let reopened = guest.ask("reopen-sockets", json!({"times": 500})).await;
    assert_eq!(reopened.answer, 0);
    let none = guest.granted(Rules::default());
    let none = none.ask("open-sockets", json!({"most": 100})).await;
    assert_eq!(none.answer, 0);
}
