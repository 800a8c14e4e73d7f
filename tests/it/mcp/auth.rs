//! Authentication over HTTP: tokens, the sessions bound to them, and the address.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use reqwest::{Client as Http, Method, StatusCode};
use serde_json::json;

use crate::support::http::{Mcp, Sse};
use crate::support::mcp::{Place, install_tls};

const ALICE: &str = "alice-7f3c9a52e1b84d06";
const BOB: &str = "bob-0d6b1c8e4f2a9753";

#[tokio::test]
async fn every_route_wants_the_token_also_on_loopback() {
    install_tls();
    let place = Place::new();
    let file = place.secret("token", &format!("  {ALICE}\n"));
    let server = place.http(&["--auth-token-file", &file]).await;
    let http = Http::new();
    for (method, path) in [
        (Method::GET, "/sse"),
        (Method::POST, "/message/x"),
        (Method::GET, "/mcp"),
        (Method::POST, "/mcp"),
        (Method::DELETE, "/mcp"),
        (Method::GET, "/elsewhere"),
        (Method::OPTIONS, "/mcp"),
    ] {
        for shown in [None, Some("alice-7f3c9a52e1b84d07"), Some("")] {
            let mut request = http.request(method.clone(), server.at(path));
            if let Some(token) = shown {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            let place = format!("{method} {path} {shown:?}");
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{place}");
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{place}");
            assert!(!response.text().await.unwrap().contains("alice"), "{place}");
        }
    }
    let client = Mcp::open(&server.url, Some(ALICE)).await;
    let listed = client.call("list-components", json!({})).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");
    Sse::open(&server.url, Some(ALICE)).await;
    assert!(!server.log().join("\n").contains(ALICE));
}

#[tokio::test]
async fn health_needs_no_token_and_tells_nothing() {
    install_tls();
    let place = Place::new();
    let file = place.secret("token", ALICE);
    let server = place.http(&["--auth-token-file", &file]).await;
    for path in ["/healthz", "/readyz"] {
        let response = Http::new().get(server.at(path)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers().get("server").is_none());
        assert_eq!(response.text().await.unwrap(), "ok\n");
    }
}

#[tokio::test]
async fn a_session_opens_to_none_but_the_token_that_made_it() {
    let place = Place::new();
    let file = place.secret("token", &format!("{ALICE}\n{BOB}\n"));
    let server = place.http(&["--auth-token-file", &file]).await;

    let alice = Mcp::open(&server.url, Some(ALICE)).await;
    let mut bob = Mcp::open(&server.url, Some(BOB)).await;
    assert!(alice.session.as_ref().unwrap().len() >= 32);
    bob.session = alice.session.clone();
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let ping = json!({ "jsonrpc": "2.0", "id": 9, "method": "ping" });
        let request = bob.request(method.clone()).body(ping.to_string());
        let status = request.send().await.unwrap().status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{method}");
    }
    let listed = alice.call("list-components", json!({})).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");

    let alice = Sse::open(&server.url, Some(ALICE)).await;
    let mut bob = Sse::open(&server.url, Some(BOB)).await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    assert_eq!(bob.post(&ping).await.status(), StatusCode::ACCEPTED);
    bob.endpoint = alice.endpoint.clone();
    assert_eq!(bob.post(&ping).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(alice.post(&ping).await.status(), StatusCode::ACCEPTED);
}

async fn fails(place: &Place, args: &[&str]) -> (Option<i32>, String) {
    let transport = ["--transport", "sse"];
    let Output { status, stderr, .. } = place
        .command(&[&transport, args].concat())
        .output()
        .await
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn other_addresses_need_a_token_or_a_word() {
    let place = Place::new();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let (code, stderr) = fails(&place, &["--bind", address]).await;
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(address), "{stderr}");
        assert!(stderr.contains("--auth-token-file"), "{stderr}");
        assert!(!stderr.contains("listening"), "{stderr}");
    }
    let server = place.http(&["--bind", "0.0.0.0:0", "--no-auth"]).await;
    assert!(server.warnings.contains("--no-auth"), "{}", server.warnings);
    let file = place.secret("token", ALICE);
    let guarded = ["--bind", "0.0.0.0:0", "--auth-token-file", &file];
    let server = place.http(&guarded).await;
    assert!(server.warnings.contains("TLS"), "{}", server.warnings);
    let both = ["--no-auth", "--auth-token-file", &file];
    assert_eq!(fails(&place, &both).await.0, Some(2));
}

#[tokio::test]
async fn a_bad_token_file_keeps_the_server_from_starting() {
    let place = Place::new();
    let absent = place.path("absent");
    let short = place.secret("short", "0123456789");
    let open = place.secret("open", ALICE);
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o666)).unwrap();
    for (file, why) in [
        (absent.to_str().unwrap(), "No such file"),
        (&*short, "shorter than 16"),
        (&*open, "chmod 600"),
    ] {
        let (code, stderr) = fails(&place, &["--auth-token-file", file]).await;
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
    let readable = place.secret("readable", ALICE);
    std::fs::set_permissions(&readable, PermissionsExt::from_mode(0o644)).unwrap();
    let server = place.http(&["--auth-token-file", &readable]).await;
    assert!(
        server.warnings.contains("can read the token file"),
        "{}",
        server.warnings
    );
}
