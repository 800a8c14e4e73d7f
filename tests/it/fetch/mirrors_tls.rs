//! Mirrors with certificates of their own.

use std::time::Duration;

use tokio::net::TcpListener;
use wassette::fetch::{FetchOptions, Fetched};
use wassette::registry::{Host, Mirrors, Visibility};

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::certificates::Certificates;
use crate::support::components::{ANSWER, binary};
use crate::support::registry::Registry;
use crate::support::wait::within;

/// Pulls with one mirror; `access` has its connection settings.
async fn pull(mirror: &Registry, access: &str, reference: &str) -> Fetched {
    let address = mirror.address();
    let text = format!(
        "host = '{address}'\ncapabilities = ['pull', 'resolve']\nplain_http = false\n{access}"
    );
    let host = toml::from_str::<Host>(&text).expect("a host");
    let all = "_default".to_owned().try_into().expect("a name");
    let load = Load::with(FetchOptions {
        registry: wassette::registry::Options {
            mirrors: Mirrors {
                hosts: [(all, vec![host])].into(),
                certs_dir: None,
            },
            ..Default::default()
        },
        ..FetchOptions::default()
    });
    load.run(reference).await.expect("a pull")
}

#[tokio::test]
async fn a_mirror_is_trusted_by_its_authority_and_knows_its_client() {
    let upstream = Registry::start();
    let certificates = Certificates::new();
    let cache = Registry::secure_cache_of(&upstream, &certificates);
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    upstream.push("a", "v1", &artifact).await;
    let reference = upstream.reference("a:v1");

    let file = |name: &str| certificates.file(name).display().to_string();
    let ca = format!("ca = '{}'", file("ca.pem"));
    let pair = format!(
        "client_cert = ['{}', '{}']",
        file("client.pem"),
        file("client.key")
    );
    let both = format!("{ca}\n{pair}\ndial_timeout = '60s'");
    let fetched = pull(&cache, &both, &reference).await;
    assert_eq!(fetched.receipt.hosts_tried, [cache.address()]);
    // A client certificate may give access to private content.
    assert_eq!(fetched.receipt.openness, Visibility::Private);

    let missing = format!("ca = '{}'", file("absent.pem"));
    let empty = format!("ca = '{}'", file("names"));
    let no_key = format!("{ca}\nclient_cert = '{}'", file("client.pem"));
    for less in ["", &ca, &pair, &missing, &empty, &no_key] {
        let fetched = pull(&cache, less, &reference).await;
        let tried = [cache.address(), upstream.address()];
        assert_eq!(fetched.receipt.hosts_tried, tried, "{less}");
        assert_eq!(fetched.receipt.openness, Visibility::Public, "{less}");
    }
}

#[tokio::test]
async fn a_mirror_that_never_shakes_hands_costs_its_dial_timeout() {
    // Accepts connections and never answers.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mute = mute.local_addr().map(|address| (mute, address));
    let (_mute, address) = mute.expect("an address");
    let upstream = Registry::start();
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER))]);
    upstream.push("a", "v1", &artifact).await;
    let host = format!(
        "host = '{address}'\ncapabilities = ['pull', 'resolve']\nplain_http = false\n\
         dial_timeout = '100ms'"
    );
    let host = toml::from_str::<Host>(&host).expect("a host");
    let all = "_default".to_owned().try_into().expect("a name");
    let load = Load::with(FetchOptions {
        net: wassette::net::Options {
            connect_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(300),
            ..Default::default()
        },
        registry: wassette::registry::Options {
            mirrors: Mirrors {
                hosts: [(all, vec![host])].into(),
                certs_dir: None,
            },
            ..Default::default()
        },
        ..FetchOptions::default()
    });
    let reference = upstream.reference("a:v1");
    let fetched = within("a pull", load.run(&reference)).await;
    let fetched = fetched.expect("a pull");
    let tried = [address.to_string(), upstream.address().to_owned()];
    assert_eq!(fetched.receipt.hosts_tried, tried);
}
