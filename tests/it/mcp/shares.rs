//! Connections, sessions and requests are divided among tokens.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wassette::http::{Auth, HttpLimits, HttpOptions, Tokens};

use crate::support::http::{InProcess, Mcp, Sse};
use crate::support::mcp::{Place, install_tls};
use crate::support::wait::within;

/// A client with a token can connect, however many connections clients without one hold.
#[tokio::test]
async fn idle_connections_make_room() {
    let place = Place::new();
    let token = "alice-7f3c9a52e1b84d06";
    let file = place.secret("token", token);
    let tokens = Tokens::read(std::path::Path::new(&file)).unwrap();
    let server = InProcess::start(HttpOptions {
        auth: Auth::Tokens(tokens),
        limits: HttpLimits {
            connections: 8,
            ..HttpLimits::default()
        },
        ..HttpOptions::default()
    })
    .await;
    let address = server.url.strip_prefix("http://").unwrap();
    let asking = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut idle = Vec::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(asking).await.unwrap();
        let mut first = [0; 12];
        within("an answer", stream.read_exact(&mut first))
            .await
            .unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        idle.push(stream);
    }
    // Others send nothing at all.
    for _ in 0..12 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let client = within("a session", Mcp::open(&server.url, Some(token))).await;
    let listed = within("a call", client.call("list-components", json!({}))).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");
    // Beyond half of the slots, connections without a token are closed after their answer.
    let mut said = Vec::new();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(asking).await.unwrap();
    within("an answer", stream.read_to_end(&mut said))
        .await
        .unwrap();
    let said = String::from_utf8(said).unwrap().to_ascii_lowercase();
    assert!(said.contains("connection: close"), "{said}");
}

#[tokio::test]
async fn sessions_and_requests_are_shared_out_among_tokens() {
    let (alice, bob) = ("alice-7f3c9a52e1b84d06", "bob-0d6b1c8e4f2a9753");
    let place = Place::new();
    let file = place.secret("token", &format!("{alice}\n{bob}\n"));
    let server = place
        .http(&["--auth-token-file", &file, "--max-sessions", "4"])
        .await;
    let mut streams = Vec::new();
    for status in [
        StatusCode::OK,
        StatusCode::OK,
        StatusCode::SERVICE_UNAVAILABLE,
    ] {
        let stream = Sse::knock(&server.url, Some(alice)).await;
        assert_eq!(stream.status(), status);
        streams.push(stream);
    }
    let stream = Sse::knock(&server.url, Some(bob)).await;
    assert_eq!(stream.status(), StatusCode::OK);
}

#[tokio::test]
async fn tokens_are_taken_back_and_given_while_the_server_runs() {
    install_tls();
    let (old, new) = ("alice-7f3c9a52e1b84d06", "alice-0d6b1c8e4f2a9753");
    let place = Place::new();
    let file = place.secret("token", old);
    let server = place.http(&["--auth-token-file", &file]).await;
    let session = Mcp::open(&server.url, Some(old)).await;
    let news = session.request(Method::GET).send().await.unwrap();
    assert_eq!(news.status(), StatusCode::OK);
    let sse = Sse::open(&server.url, Some(old)).await;
    place.secret("token", new);
    let refused = async {
        let ping = json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" });
        while session.post(&ping).await.status() != StatusCode::UNAUTHORIZED {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("the old token is refused", refused).await;
    // Its sessions end with the token.
    within("the end of the stream", news.text()).await.ok();
    within("the end of the stream", sse.ended).await.unwrap();
    Mcp::open(&server.url, Some(new)).await;
    // An invalid token file changes nothing.
    place.secret("token", "short");
    server.logged("shorter than 16").await;
    Mcp::open(&server.url, Some(new)).await;
    for secret in [old, new, &session.session.unwrap()] {
        assert!(!server.log().join("\n").contains(secret));
    }
}
