//! Requests as browsers send them for pages of other origins.

use reqwest::{Client as Http, Method, Response, StatusCode};
use serde_json::json;

use crate::support::http::{Mcp, initialize};
use crate::support::mcp::{HttpServer, Place, install_tls};

const TOKEN: &str = "alice-7f3c9a52e1b84d06";
const APP: &str = "https://app.example";
/// The origin of the MCP Inspector's page.
const INSPECTOR: &str = "http://localhost:6274";

async fn server(place: &Place) -> HttpServer {
    install_tls();
    let token = place.secret("token", TOKEN);
    let args = ["--auth-token-file", &token, "--allowed-origin", APP];
    place.http(&args).await
}

async fn preflight(server: &HttpServer, path: &str, origin: &str) -> Response {
    let request = Http::new()
        .request(Method::OPTIONS, server.at(path))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,mcp-protocol-version",
        );
    request.send().await.unwrap()
}

fn listed(response: &Response, header: &str) -> Vec<String> {
    let value = response.headers()[header].to_str().unwrap();
    let items = value.split(',');
    items.map(|item| item.trim().to_ascii_lowercase()).collect()
}

fn tells_nobody(response: &Response) {
    for name in response.headers().keys() {
        assert!(!name.as_str().starts_with("access-control"), "{name}");
    }
}

#[tokio::test]
async fn a_page_of_an_admitted_origin_can_use_the_server() {
    let place = Place::new();
    let server = server(&place).await;
    for origin in [APP, INSPECTOR, "http://127.0.0.1:8080"] {
        for path in ["/mcp", "/sse", "/message/x"] {
            let allowed = preflight(&server, path, origin).await;
            assert_eq!(allowed.status(), StatusCode::NO_CONTENT, "{path}");
            assert_eq!(allowed.headers()["access-control-allow-origin"], origin);
            assert_eq!(listed(&allowed, "vary"), ["origin"]);
            let methods = listed(&allowed, "access-control-allow-methods");
            assert_eq!(methods, ["get", "post", "delete"]);
            let headers = listed(&allowed, "access-control-allow-headers");
            for sent in [
                "accept",
                "authorization",
                "content-type",
                "last-event-id",
                "mcp-method",
                "mcp-name",
                "mcp-protocol-version",
                "mcp-session-id",
            ] {
                assert!(headers.contains(&sent.to_owned()), "{sent}: {headers:?}");
            }
            let credentials = allowed.headers().get("access-control-allow-credentials");
            assert_eq!(credentials, None);
        }
        let client = Mcp::new(&server.url, Some(TOKEN));
        let opening = client.request(Method::POST).header("origin", origin);
        let opened = opening.body(initialize().to_string()).send().await.unwrap();
        assert_eq!(opened.status(), StatusCode::OK);
        assert_eq!(opened.headers()["access-control-allow-origin"], origin);
        assert_eq!(listed(&opened, "vary"), ["origin"]);
        let read = listed(&opened, "access-control-expose-headers");
        assert_eq!(read, ["mcp-session-id"]);
        assert!(opened.headers().contains_key("mcp-session-id"));
    }
}

#[tokio::test]
async fn a_page_can_read_why_it_was_refused() {
    let place = Place::new();
    let server = server(&place).await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for (token, session, status) in [
        (None, None, StatusCode::UNAUTHORIZED),
        (Some(TOKEN), Some("gone".to_owned()), StatusCode::NOT_FOUND),
    ] {
        let mut client = Mcp::new(&server.url, token);
        client.session = session;
        let asking = client.request(Method::POST).header("origin", APP);
        let refused = asking.body(ping.to_string()).send().await.unwrap();
        assert_eq!(refused.status(), status);
        assert_eq!(refused.headers()["access-control-allow-origin"], APP);
    }
}

#[tokio::test]
async fn no_one_else_is_told_that_they_may() {
    let place = Place::new();
    let server = server(&place).await;
    for origin in ["https://evil.example", "http://app.example", "null"] {
        let refused = preflight(&server, "/mcp", origin).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
        tells_nobody(&refused);
    }
    // A preflight does not bypass the token, for any other method or path.
    let http = Http::new();
    for (method, path) in [(Method::GET, "/sse"), (Method::POST, "/mcp")] {
        let request = http
            .request(method, server.at(path))
            .header("origin", APP)
            .header("access-control-request-method", "POST");
        let status = request.send().await.unwrap().status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let options = http.request(Method::OPTIONS, server.at("/mcp"));
    let bare = options.header("origin", APP).send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);
    // A client that sends no origin is not a page.
    let client = Mcp::new(&server.url, Some(TOKEN));
    let opened = client.initialize().await;
    assert_eq!(opened.status(), StatusCode::OK);
    tells_nobody(&opened);
    assert_eq!(opened.headers()["vary"], "origin");
    // Pages do not need the state of the server either.
    let health = http.get(server.at("/healthz")).header("origin", APP);
    tells_nobody(&health.send().await.unwrap());
}
