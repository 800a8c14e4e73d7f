//! A C program tries to reach internal addresses: directly, by name, over raw sockets, and by
//! following a granted host's redirects.

use std::fs;

use serde_json::{Value, json};

use crate::support::dns::Dns;
use crate::support::mcp::{Client, Place, text_of};
use crate::support::network_guest::{COMPONENT, NetworkGuest, Rules, message, socket};
use crate::support::web::Web;

/// Starts a server with the guest and grants these hosts.
async fn granted(place: &Place, hosts: &[&str]) -> Client {
    fs::write(place.path("net.wasm"), COMPONENT).unwrap();
    let client = place.stdio().await;
    let uri = format!("file://{}", place.path("net.wasm").display());
    client.load(&uri).await;
    let hosts: Vec<Value> = hosts.iter().map(|host| json!({ "host": host })).collect();
    let policy = json!({
        "version": "1.0",
        "permissions": { "network": { "allow": hosts } },
    });
    let file = place.path("root/components/net/net.policy.yaml");
    fs::write(file, policy.to_string()).unwrap();
    client
}

/// Returns the kind and the name of the denial that the agent is shown.
async fn denied(client: &Client, tool: &str, arguments: Value) -> (String, String) {
    let result = client.call(tool, arguments).await;
    assert_eq!(result.is_error, Some(true), "{tool}: {result:?}");
    let told = text_of(&result);
    let denied = &told["denied"][0];
    let text = |key: &str| denied[key].as_str().unwrap_or_default().to_owned();
    assert!(told["hint"].as_str().is_some(), "{told}");
    (text("kind"), text("what"))
}

/// An IPv6 address in WASI's form.
fn socket6(address: [u16; 8], port: u16) -> Value {
    let val = json!({ "port": port, "flow-info": 0, "address": address, "scope-id": 0 });
    json!({ "tag": "ipv6", "val": val })
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_granted_host_redirects_to() {
    let web = Web::start().await;
    let port = web.port;
    let place = Place::new();
    let client = granted(&place, &[&format!("http://localhost:{port}")]).await;
    let follow = async |path: &str| {
        let url = format!("http://localhost:{port}{path}");
        json!({ "message": message(&url) })
    };
    // On the granted host the guest can follow redirects.
    let twice = follow("/to//to//hello").await;
    let result = client.call("follow", twice).await;
    let body = &result.structured_content.expect("an answer")["result"]["body"];
    assert_eq!(body, "hello");
    assert_eq!(web.connections(), 3);

    for (location, url) in [
        (
            "http://169.254.169.254/latest/",
            "http://169.254.169.254/latest/",
        ),
        (
            "http://2852039166/latest/",
            "http://169.254.169.254/latest/",
        ),
        (
            "http://metadata.google.internal/",
            "http://metadata.google.internal/",
        ),
        // The granted host, by another name and at another port.
        (
            &*format!("http://127.0.0.1:{port}/"),
            &*format!("http://127.0.0.1:{port}/"),
        ),
        (
            &format!("http://[::1]:{port}/"),
            &format!("http://[::1]:{port}/"),
        ),
        (
            &format!("http://[::ffff:127.0.0.1]:{port}/"),
            &format!("http://127.0.0.1:{port}/"),
        ),
        ("http://localhost/", "http://localhost/"),
        (
            &format!("https://localhost:{port}/"),
            &format!("https://localhost:{port}/"),
        ),
    ] {
        let arguments = follow(&format!("/to/{location}")).await;
        let told = denied(&client, "follow", arguments).await;
        assert_eq!(told, ("request".into(), url.into()), "{location}");
    }
    // One connection each, for the redirect itself.
    assert_eq!(web.connections(), 3 + 8);
    // Locations that are not a valid request to a host are not requested.
    for location in ["file:///etc/passwd", "http://user@localhost/"] {
        let arguments = follow(&format!("/to/{location}")).await;
        let result = client.call("follow", arguments).await;
        assert_eq!(result.is_error, Some(true), "{location}: {result:?}");
        let told = text_of(&result);
        assert!(told["error"]["tag"].is_string(), "{location}: {told}");
    }
    assert_eq!(web.connections(), 3 + 8 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirection_to_a_name_inside() {
    let web = Web::start().await;
    let dns = Dns::new([
        ("public.test", &[[127, 0, 0, 1]]),
        ("rebound.test", &[[169, 254, 169, 254], [10, 0, 0, 1]]),
        ("other.test", &[[127, 0, 0, 1]]),
    ]);
    let rules = Rules {
        allow: &[
            "host: public.test",
            "host: rebound.test",
            "cidr: 127.0.0.0/8",
        ],
        deny: &[],
    };
    let guest = NetworkGuest::with_resolver(rules, dns.clone());
    let follow = async |location: &str| {
        let url = format!("http://public.test:{}/to/{location}", web.port);
        guest
            .ask("follow", json!({ "message": message(&url) }))
            .await
    };
    let rebound = follow("http://rebound.test/latest/").await;
    assert_eq!(rebound.error(), "destination-IP-prohibited");
    assert_eq!(
        rebound.denied().1,
        "http://rebound.test/latest/ at 169.254.169.254, 10.0.0.1"
    );
    // A name that is not granted is not looked up.
    let other = follow("http://other.test/").await;
    assert_eq!(other.error(), "HTTP-request-denied");
    assert!(!dns.asked().contains(&"other.test".to_owned()));
    assert_eq!(web.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_sockets_and_lookups() {
    let web = Web::start().await;
    let port = web.port;
    let place = Place::new();
    let client = granted(&place, &["api.example.com"]).await;
    for (remote, address) in [
        (socket([127, 0, 0, 1], port), format!("127.0.0.1:{port}")),
        (
            socket([169, 254, 169, 254], 80),
            "169.254.169.254:80".into(),
        ),
        (
            socket6([0, 0, 0, 0, 0, 0, 0, 1], port),
            format!("[::1]:{port}"),
        ),
    ] {
        for (tool, protocol) in [("tcp", "TCP"), ("udp", "UDP")] {
            let arguments = json!({ "remote": remote, "text": "x" });
            let told = denied(&client, tool, arguments).await;
            let what = format!("{protocol} to {address}");
            assert_eq!(told, ("socket".into(), what), "{tool}");
        }
    }
    // WASI accepts IPv4 addresses in one form only.
    let mapped = socket6([0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], port);
    for tool in ["tcp", "udp"] {
        let arguments = json!({ "remote": mapped, "text": "x" });
        let result = client.call(tool, arguments).await;
        assert_eq!(result.is_error, Some(true), "{tool}: {result:?}");
    }
    for name in [
        "localhost",
        "metadata.google.internal",
        "example.com",
        "data.example.com",
    ] {
        let told = denied(&client, "look-up", json!({ "name": name })).await;
        assert_eq!(told, ("lookup".into(), name.into()));
    }
    assert_eq!(web.connections(), 0);
}
