//! HTTP requests of guests: granted ones succeed, all others are stopped.

use std::time::Duration;

use serde_json::{Value, json};
use wassette::runtime::{CallError, DenialKind, NetworkOptions};

use crate::support::certificates::Certificates;
use crate::support::dns::Dns;
use crate::support::network_guest::{NetworkGuest, Rules, message, socket};
use crate::support::tls::SecureServer;
use crate::support::wait::within;
use crate::support::web::Web;

fn allow<'a>(allow: &'a [&'a str]) -> Rules<'a> {
    Rules { allow, deny: &[] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_host_is_reached() {
    let web = Web::start().await;
    let grant = format!("host: http://localhost:{}", web.port);
    let guest = NetworkGuest::new(allow(&[&grant]));
    let url = format!("http://LOCALHOST:{}/echo?q=1", web.port);
    let got = guest.get(&format!("{url}#fragment")).await;
    assert_eq!(got.answer["status"], 200, "{got:?}");
    let head = web.heads().pop().unwrap();
    assert!(head.starts_with("GET /echo?q=1 HTTP/1.1\r\n"), "{head}");

    let mut message = message(&url.replace("?q=1", ""));
    // Larger than every buffer on the way.
    let body = "0123456789".repeat(60_000);
    message["method"] = "POST".into();
    message["body"] = body.as_str().into();
    message["headers"] = json!([["authorization", "Bearer mine"], ["te", "trailers"]]);
    let posted = guest.ask("request", json!({ "message": message })).await;
    assert_eq!(posted.answer["status"], 200, "{:?}", posted.denials);
    assert_eq!(posted.answer["body"], body);
    assert!(posted.denials.is_empty());

    let head = web.heads().pop().unwrap().to_lowercase();
    assert!(head.starts_with("post /echo http/1.1\r\n"), "{head}");
    let host = format!("\r\nhost: localhost:{}\r\n", web.port);
    assert_eq!(head.matches("\r\nhost:").count(), 1, "{head}");
    assert!(head.contains(&host), "{head}");
    assert!(
        head.contains("\r\nauthorization: bearer mine\r\n"),
        "{head}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn https_needs_a_certificate_for_the_host() {
    let certificates = Certificates::new();
    let web = SecureServer::of(&certificates, b"hello".to_vec()).await;
    let rules = allow(&["host: localhost", "host: other.test", "cidr: 127.0.0.0/8"]);
    let local = web.url("/");

    let stranger = NetworkGuest::new(rules);
    assert_eq!(stranger.get(&local).await.error(), "TLS-certificate-error");
    let trusting = NetworkGuest::with(
        rules,
        NetworkOptions {
            ca_files: vec![certificates.authority()],
            ..NetworkOptions::default()
        },
    );
    assert_eq!(trusting.get(&local).await.answer["body"], "hello");
    let literal = local.replace("localhost", "127.0.0.1");
    assert_eq!(trusting.get(&literal).await.answer["body"], "hello");

    let dns = Dns::new([("other.test", &[[127, 0, 0, 1]])]);
    let misled = NetworkGuest::with(
        rules,
        NetworkOptions {
            ca_files: vec![certificates.authority()],
            resolver: dns,
        },
    );
    let other = local.replace("localhost", "other.test");
    assert_eq!(misled.get(&other).await.error(), "TLS-certificate-error");
}

/// Loopback and metadata addresses in every notation, with nothing granted and
/// with all public hosts granted.
#[tokio::test(flavor = "multi_thread")]
async fn special_addresses_are_denied_in_every_notation() {
    let web = Web::start().await;
    let mut guest = NetworkGuest::new(Rules::default());
    for rules in [Rules::default(), allow(&["host: *"])] {
        guest.granted(rules);
        for (host, known_as) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            ("[::ffff:7f00:1]", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::]", "[::]"),
            ("0.0.0.0", "0.0.0.0"),
            ("169.254.169.254", "169.254.169.254"),
            ("[fd00:ec2::254]", "[fd00:ec2::254]"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            let tried = guest
                .get(&format!("http://{host}:{}/a?secret=1", web.port))
                .await;
            assert_eq!(tried.error(), "HTTP-request-denied", "{host}: {tried:?}");
            let url = format!("http://{known_as}:{}/a", web.port);
            assert_eq!(tried.denied(), (DenialKind::Request, &*url));
        }
    }
    assert_eq!(web.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_name_does_not_lead_to_special_addresses() {
    let web = Web::start().await;
    let dns = Dns::new([
        ("inside.test", &[[127, 0, 0, 1], [10, 0, 0, 1]]),
        ("metadata.test", &[[169, 254, 169, 254]]),
        // The first address is not granted, so it is not tried.
        ("both.test", &[[10, 0, 0, 1], [127, 0, 0, 1]]),
    ]);
    let mut guest = NetworkGuest::with_resolver(allow(&["host: *.test"]), dns.clone());
    let inside = format!("http://inside.test:{}/", web.port);
    let tried = guest.get(&inside).await;
    assert_eq!(tried.error(), "destination-IP-prohibited");
    let what = format!("{inside} at 127.0.0.1, 10.0.0.1");
    assert_eq!(tried.denied(), (DenialKind::Address, &*what));
    let tried = guest.get("http://metadata.test/latest?a").await;
    assert_eq!(tried.error(), "destination-IP-prohibited");
    let what = "http://metadata.test/latest at 169.254.169.254";
    assert_eq!(tried.denied(), (DenialKind::Address, what));
    assert_eq!(web.connections(), 0);

    let port = format!("cidr: 127.0.0.0/8:{}", web.port);
    guest.granted(allow(&["host: *.test", &port]));
    let both = format!("http://both.test:{}/", web.port);
    assert_eq!(guest.get(&both).await.answer["body"], "hello");
    // One lookup per request: the connection uses the addresses that were checked.
    assert_eq!(dns.asked(), ["inside.test", "metadata.test", "both.test"]);
}

/// Linux connects to itself for the unspecified address.
#[tokio::test(flavor = "multi_thread")]
async fn the_unspecified_address_is_no_way_to_this_machine() {
    let web = Web::start().await;
    let dns = Dns::new([("a.test", &[[0, 0, 0, 0]])]);
    let everything = Rules {
        allow: &["cidr: 0.0.0.0/0", "cidr: ::/0", "host: *", "host: 0.0.0.0"],
        deny: &["cidr: 127.0.0.0/8", "cidr: ::1/128"],
    };
    let undenied = Rules {
        deny: &[],
        ..everything
    };
    let mut guest = NetworkGuest::with_resolver(everything, dns);
    for rules in [everything, undenied] {
        guest.granted(rules);
        for host in ["0.0.0.0", "0", "[::]", "[::ffff:0:0]", "[64:ff9b::]"] {
            let tried = guest.get(&format!("http://{host}:{}/", web.port)).await;
            assert_eq!(tried.error(), "HTTP-request-denied", "{host}: {tried:?}");
        }
        let named = format!("http://a.test:{}/", web.port);
        let tried = guest.get(&named).await;
        assert_eq!(tried.error(), "destination-IP-prohibited", "{tried:?}");
        for protocol in ["tcp", "udp"] {
            let remote = socket([0, 0, 0, 0], web.port);
            let args = json!({ "remote": remote, "text": "GET / HTTP/1.1\r\n\r\n" });
            let tried = guest.ask(protocol, args).await;
            // WASI reports such an address as invalid.
            assert_eq!(tried.answer, "invalid-argument", "{protocol}");
        }
    }
    assert_eq!(web.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_the_guests_to_follow_and_checked_anew() {
    let inside = Web::start().await;
    let web = Web::start().await;
    let grant = format!("host: localhost:{}", web.port);
    let guest = NetworkGuest::new(allow(&[&grant]));
    for target in [
        format!("http://localhost:{}/", inside.port),
        format!("http://127.0.0.1:{}/", web.port),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        let url = format!("http://localhost:{}/to/{target}", web.port);
        let redirected = guest.get(&url).await;
        assert_eq!(redirected.answer["status"], 302, "{redirected:?}");
        assert_eq!(redirected.answer["location"], target);
        assert!(redirected.denials.is_empty());
        let followed = guest.get(&target).await;
        assert_eq!(followed.error(), "HTTP-request-denied");
        assert_eq!(followed.denied(), (DenialKind::Request, &*target));
    }
    assert_eq!((web.connections(), inside.connections()), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_mean_their_scheme_port_and_host_only() {
    let web = Web::start().await;
    let dns = Dns::new([("a.test", &[[127, 0, 0, 1]])]);
    let port = web.port;
    let http = format!("host: http://a.test:{port}");
    let https = format!("host: https://a.test:{port}");
    let other_port = format!("host: http://a.test:{}", port ^ 1);
    let url = format!("http://a.test:{port}/");
    let loopback = "cidr: 127.0.0.0/8";
    let mut guest = NetworkGuest::with_resolver(Rules::default(), dns.clone());
    for (allow, deny) in [
        (&[][..], &[][..]),
        (&[&*https, loopback], &[]),
        (&[&*other_port, loopback], &[]),
        (&["host: *.a.test", loopback], &[]),
        // A network rule grants no names.
        (&["cidr: 0.0.0.0/0"], &[]),
        (&["host: *.test", loopback], &["host: a.test"]),
        (&[&*http, loopback], &["host: *.test"]),
    ] {
        let tried = guest.granted(Rules { allow, deny }).get(&url).await;
        assert_eq!(tried.error(), "HTTP-request-denied", "{allow:?} {deny:?}");
        assert_eq!(tried.denied(), (DenialKind::Request, &*url));
    }
    assert!(dns.asked().is_empty(), "nobody was asked");

    let both = [&*http, loopback];
    let denied = Rules {
        allow: &both,
        deny: &["cidr: 127.0.0.1/32"],
    };
    let tried = guest.granted(denied).get(&url).await;
    assert_eq!(tried.error(), "destination-IP-prohibited");
    assert_eq!(web.connections(), 0);
    let tried = guest.granted(allow(&both)).get(&url).await;
    assert_eq!(tried.answer["body"], "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn doubtful_requests_go_nowhere() {
    let web = Web::start().await;
    let guest = NetworkGuest::new(allow(&["host: localhost", "cidr: 127.0.0.0/8"]));
    let port = web.port;
    for (authority, error) in [
        (
            format!("user:word@localhost:{port}"),
            "HTTP-request-URI-invalid",
        ),
        (
            format!("localhost@127.0.0.1:{port}"),
            "HTTP-request-URI-invalid",
        ),
        ("localhost:0".to_owned(), "HTTP-request-URI-invalid"),
        ("localhost:99999".to_owned(), "HTTP-request-URI-invalid"),
    ] {
        let tried = guest.get(&format!("http://{authority}/")).await;
        assert_eq!(tried.error(), error, "{authority}: {tried:?}");
    }
    let local = format!("http://localhost:{port}/");
    let altered = async |key: &str, value: Value| {
        let mut message = message(&local);
        message[key] = value;
        let tried = guest.ask("request", json!({ "message": message })).await;
        tried.error().to_owned()
    };
    let tunnel = altered("method", "CONNECT".into()).await;
    assert_eq!(tunnel, "HTTP-request-method-invalid");
    let elsewhere = altered("path", "http://other.test/".into()).await;
    assert_eq!(elsewhere, "internal-error");
    let scheme = altered("scheme", json!({"tag": "other", "val": "ftp"})).await;
    assert_eq!(scheme, "HTTP-protocol-error");
    for header in [
        "Host",
        "connection",
        "proxy-authorization",
        "transfer-encoding",
        "upgrade",
        "keep-alive",
    ] {
        let refused = altered("headers", json!([[header, "x"]])).await;
        assert_eq!(refused, "internal-error", "{header}");
    }
    let injected = altered("headers", json!([["x", "a\r\nhost: b"]])).await;
    assert_eq!(injected, "internal-error");
    // Headers are kept in the host's memory.
    let mut huge = message(&local);
    huge["headers"] = json!([["x", "x".repeat(40_000)]]);
    let huge = guest.call("request", json!({ "message": huge })).await;
    let error = format!("{:?}", huge.outcome.unwrap_err());
    assert!(
        error.contains("total size of fields exceeds limit"),
        "{error}"
    );
    assert_eq!(web.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_flooding_servers_are_errors() {
    let web = Web::start().await;
    let guest = NetworkGuest::new(allow(&["host: localhost"]));
    for (path, error) in [
        ("/never", "connection-read-timeout"),
        // A stream of WASI 0.2 cannot report why it ended.
        ("/half", "internal-error"),
    ] {
        let mut message = message(&format!("http://localhost:{}{path}", web.port));
        // The guest's timeout includes the connection and the head, which take longer on a busy
        // machine.
        for milliseconds in [200, 1000, 5000, 25_000] {
            message["patience"] = json!(milliseconds);
            let tried = guest.ask("request", json!({ "message": message })).await;
            if tried.error() == error {
                break;
            }
            assert!(milliseconds < 25_000, "{path}: {tried:?}");
        }
    }
    let flooded = guest
        .get(&format!("http://localhost:{}/flood", web.port))
        .await;
    assert_eq!(
        flooded.error(),
        "HTTP-response-header-section-size",
        "{flooded:?}"
    );
    web.is_left_alone().await;
    // Nothing listens on the port any more.
    let gone = web.port;
    web.stop().await;
    let refused = guest.get(&format!("http://localhost:{gone}/")).await;
    assert_eq!(refused.error(), "connection-refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_take_turns() {
    let web = Web::start().await;
    let guest = NetworkGuest::new(allow(&["host: localhost"]));
    let message = message(&format!("http://localhost:{}/pause/60000", web.port));
    let many = json!({"message": message, "times": 40});
    assert_eq!(guest.ask("request-all", many).await.answer, 40);
    let most = web
        .seen
        .most_pausing
        .load(std::sync::atomic::Ordering::SeqCst);
    assert!((2..=16).contains(&most), "{most} at once");
}

/// The connections of a call are closed however the call ends.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_call() {
    let web = Web::start().await;
    let guest = NetworkGuest::new(allow(&["host: localhost"]));
    let message = message(&format!("http://localhost:{}/never", web.port));
    let abandoned = json!({"message": message, "times": 10});
    // The guest waits 200 ms before it ends. A busy machine may need longer to connect.
    let connected = async {
        while web.connections() == 0 {
            guest.ask("abandon", abandoned.clone()).await;
        }
    };
    within("connections", connected).await;
    web.is_left_alone().await;

    let abandoned = web.connections();
    let mut guest = guest;
    for milliseconds in [500, 5000, 50_000] {
        guest = guest.timed(Duration::from_millis(milliseconds));
        let waiting = json!({ "message": message });
        let stopped = guest.call("request", waiting).await;
        assert!(matches!(stopped.outcome, Err(CallError::Limit(_))));
        if web.connections() > abandoned {
            break;
        }
    }
    assert!(web.connections() > abandoned);
    web.is_left_alone().await;
}
