//! Limits on the resources of clients, over raw connections and MCP clients.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wassette::http::{HttpLimits, HttpOptions};

use crate::support::http::{InProcess, Mcp, Sse, initialize};
use crate::support::mcp::{CALC, PATIENCE, Place};

async fn limited(limits: HttpLimits) -> InProcess {
    InProcess::start(HttpOptions {
        limits,
        ..HttpOptions::default()
    })
    .await
}

/// A time limit that no test reaches.
const NEVER: Duration = Duration::from_secs(3600);

/// Sends `start`, and then `drop` again and again until the server closes; returns its answer.
async fn drip(server: &InProcess, start: &str, drop: &str) -> String {
    let address = server.url.strip_prefix("http://").unwrap();
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    write.write_all(start.as_bytes()).await.unwrap();
    let drop = drop.to_owned();
    let dripping = tokio::spawn(async move {
        while write.write_all(drop.as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut said = Vec::new();
    // A reset is an end too.
    let _ = tokio::time::timeout(PATIENCE, read.read_to_end(&mut said))
        .await
        .expect("the server waits for ever");
    dripping.abort();
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn headers_that_trickle_in_end_the_connection() {
    let server = limited(HttpLimits {
        header_time: Duration::from_secs(1),
        body_time: NEVER,
        session_idle: NEVER,
        stall: NEVER,
        ..HttpLimits::default()
    })
    .await;
    for path in ["/sse", "/mcp"] {
        let start = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
        let said = drip(&server, &start, "x-a: b\r\n").await;
        assert!(!said.contains("200 OK"), "{said}");
    }
    // A connection that sends nothing is closed too.
    drip(&server, "", "").await;
}

#[tokio::test]
async fn a_body_that_trickles_in_is_not_waited_for() {
    let server = limited(HttpLimits {
        body_time: Duration::from_secs(1),
        header_time: NEVER,
        session_idle: NEVER,
        stall: NEVER,
        ..HttpLimits::default()
    })
    .await;
    let sse = Sse::open(&server.url, None).await;
    let message = sse.endpoint.strip_prefix(&server.url).unwrap();
    for path in ["/mcp", message] {
        let start =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9999\r\n\r\n");
        let said = drip(&server, &start, " ").await;
        assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    }
}

#[tokio::test]
async fn large_headers_are_refused() {
    let server = limited(HttpLimits::default()).await;
    for path in ["/sse", "/mcp", "/healthz"] {
        let long = "x".repeat(64 * 1024);
        let start = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n");
        let said = drip(&server, &start, "").await;
        assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    }
}

#[tokio::test]
async fn large_bodies_are_refused_announced_or_not() {
    let server = limited(HttpLimits {
        body_bytes: 100_000,
        // One client never sends its body, and one never ends it.
        refused_body_time: Duration::from_millis(100),
        ..HttpLimits::default()
    })
    .await;
    let sse = Sse::open(&server.url, None).await;
    let message = sse.endpoint.strip_prefix(&server.url).unwrap();
    for path in ["/mcp", message] {
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n");
        let announced = format!("{head}content-length: 100001\r\n\r\n");
        let said = drip(&server, &announced, "").await;
        assert!(said.starts_with("HTTP/1.1 413"), "{said}");
        let chunk = format!("{:x}\r\n{}\r\n", 50_000, " ".repeat(50_000));
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
        let said = drip(&server, &chunked, &chunk).await;
        assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    }
}

/// Most clients do this; `curl` waits for `100 Continue` instead.
#[tokio::test]
async fn a_client_that_writes_a_large_body_before_it_reads_gets_the_answer() {
    let server = limited(HttpLimits {
        refused_body_time: NEVER,
        ..HttpLimits::default()
    })
    .await;
    let address = server.url.strip_prefix("http://").unwrap();
    // More than the buffers of both sockets hold.
    let body = vec![b' '; 24 * 1024 * 1024];
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut client = TcpStream::connect(address).await.unwrap();
    let exchange = async {
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&body).await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        said
    };
    let said = tokio::time::timeout(PATIENCE, exchange).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    assert!(said.contains("max_body"), "{said}");
}

#[tokio::test]
async fn what_is_no_message_is_a_client_error() {
    let server = limited(HttpLimits::default()).await;
    let client = Mcp::new(&server.url, None);
    for body in ["{", "[]", "\"hello\"", ""] {
        let request = client.request(Method::POST).body(body);
        let status = request.send().await.unwrap().status();
        assert!(status.is_client_error(), "{body}: {status}");
    }
}

#[tokio::test]
async fn few_large_requests_are_worked_on_at_once() {
    let server = limited(HttpLimits {
        request_memory: 20 * 1024 * 1024,
        ..HttpLimits::default()
    })
    .await;
    server.load("calc.wat", CALC).await;
    let client = Mcp::open(&server.url, None).await;
    // Each of its characters becomes a value: 100 KB are some 13 MB.
    let address = server.url.strip_prefix("http://").unwrap();
    let mut first = TcpStream::connect(address).await.unwrap();
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999999\r\n\r\n";
    let begun = format!("{head}{}", "[".repeat(100_000));
    first.write_all(begun.as_bytes()).await.unwrap();
    let lists = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": "add", "arguments": { "a": vec![json!([]); 50_000] } } });
    let refused = async {
        while client.post(&lists).await.status() != StatusCode::SERVICE_UNAVAILABLE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused)
        .await
        .expect("both fit");
    let sum = client.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(sum["result"]["structuredContent"]["result"], 3);
    drop(first);
    // Alone it finds room, and gets the error about its content.
    let read = async {
        while client.post(&lists).await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("no room");
    // One that would need the whole memory by itself is refused.
    let values = "[".repeat(163_000);
    let request = client.request(Method::POST).body(values);
    let refused = request.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn sessions_are_bounded_and_make_room_when_they_end() {
    let server = limited(HttpLimits {
        sessions: 1,
        ..HttpLimits::default()
    })
    .await;
    let first = Sse::knock(&server.url, None).await;
    assert_eq!(first.status(), StatusCode::OK);
    let second = Sse::knock(&server.url, None).await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(second.headers()["retry-after"], "60");
    drop(first);
    let room = async {
        while Sse::knock(&server.url, None).await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.expect("no room");

    // A session without a stream is closed when its client opens another.
    let first = Mcp::open(&server.url, None).await;
    let second = Mcp::open(&server.url, None).await;
    let ping = json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" });
    assert_eq!(first.post(&ping).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(second.post(&ping).await.status(), StatusCode::OK);
    let stream = second.request(Method::GET).send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    // A session in use is not closed.
    let refused = Mcp::new(&server.url, None).initialize().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let deleted = second.request(Method::DELETE).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    Mcp::open(&server.url, None).await;
}

/// An `initialize` opens a session, whatever revision it names.
#[tokio::test]
async fn no_revision_and_no_race_opens_a_session_too_many() {
    let limit = 3;
    let server = limited(HttpLimits {
        sessions: limit,
        ..HttpLimits::default()
    })
    .await;
    for version in [Some("2026-07-28"), None] {
        let opening = (0..16).map(|_| async {
            let mut body = initialize();
            let client = Mcp::new(&server.url, None);
            let mut request = client.request(Method::POST);
            if let Some(version) = version {
                body["params"]["protocolVersion"] = json!(version);
                request = request.header("mcp-protocol-version", version);
            }
            request.body(body.to_string()).send().await.unwrap()
        });
        let answers = futures_util::future::join_all(opening).await;
        let (opened, refused): (Vec<_>, Vec<_>) = answers
            .iter()
            .partition(|answer| answer.status() == StatusCode::OK);
        for answer in refused {
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.headers()["retry-after"], "60");
        }
        // Idle sessions were closed for later ones.
        let mut alive = 0;
        for answer in opened {
            let mut client = Mcp::new(&server.url, None);
            let session = answer.headers()["mcp-session-id"].to_str().unwrap();
            client.session = Some(session.to_owned());
            let deleted = client.request(Method::DELETE).send().await.unwrap();
            alive += usize::from(deleted.status() == StatusCode::NO_CONTENT);
        }
        assert_eq!(alive, limit, "{version:?}");
    }
}

#[tokio::test]
async fn silent_sessions_end() {
    let server = limited(HttpLimits {
        session_idle: Duration::from_secs(1),
        ..HttpLimits::default()
    })
    .await;
    // On a busy machine the session may end before it is ready.
    let sse = Sse::open(&server.url, None).await;
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    for message in [initialize(), initialized] {
        let status = sse.post(&message).await.status();
        assert!(
            [StatusCode::ACCEPTED, StatusCode::NOT_FOUND].contains(&status),
            "{status}"
        );
    }
    tokio::time::timeout(PATIENCE, sse.ended)
        .await
        .expect("the stream goes on")
        .unwrap();

    let mut client = Mcp::new(&server.url, None);
    let opened = client.initialize().await;
    let session = opened.headers()["mcp-session-id"].to_str().unwrap();
    client.session = Some(session.to_owned());
    drop(opened);
    let ping = json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" });
    let gone = async {
        // Longer than the limit, because requests count as activity.
        loop {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            if client.post(&ping).await.status() == StatusCode::NOT_FOUND {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("it lives on");
}

/// Fills the server with calls that never end, over either transport; further requests are told to
/// retry later.
#[tokio::test]
async fn beyond_the_limit_requests_are_told_to_come_back() {
    let place = Place::new();
    let server = place.http(&["--max-requests", "2"]).await;
    let client = Mcp::open(&server.url, None).await;
    let uri = place.component("calc.wat", CALC);
    client.call("load-component", json!({ "uri": uri })).await;
    let sse = Sse::open(&server.url, None).await;
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    for message in [initialize(), initialized] {
        let posted = admitted(|| sse.post(&message)).await;
        assert_eq!(posted.status(), StatusCode::ACCEPTED);
    }

    // Each answer begins before its call ends.
    let spinning = admitted(|| client.send("spin", json!({}))).await;
    assert_eq!(spinning.status(), StatusCode::OK);
    let spin = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": { "name": "spin" } });
    let posted = admitted(|| sse.post(&spin)).await;
    assert_eq!(posted.status(), StatusCode::ACCEPTED);
    for refused in [
        client.send("add", json!({ "a": 1, "b": 2 })).await,
        sse.post(&spin).await,
    ] {
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
    }
    // Streams do not count as requests, so one more can be opened.
    Sse::open(&server.url, None).await;
    // When the calls reach their time limit, there is room again.
    let answer = tokio::time::timeout(PATIENCE, spinning.text()).await;
    let answer: Value = crate::support::http::message(&answer.unwrap().unwrap());
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let sum = admitted(|| client.send("add", json!({ "a": 1, "b": 2 }))).await;
    let sum: Value = crate::support::http::message(&sum.text().await.unwrap());
    assert_eq!(sum["result"]["structuredContent"]["result"], 3);
}

/// Retries while told to, because a request may keep its slot for a moment after its answer, or
/// after the 202 that answers a post over SSE.
async fn admitted(post: impl AsyncFn() -> reqwest::Response) -> reqwest::Response {
    let coming_back = async {
        loop {
            let response = post().await;
            if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, coming_back)
        .await
        .expect("no place comes free")
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let server = limited(HttpLimits {
        stall: Duration::from_secs(1),
        ..HttpLimits::default()
    })
    .await;
    let address = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Answers pile up unread until the server's writes no longer go through.
    let request = "GET /elsewhere HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let flood = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, flood)
        .await
        .expect("the server goes on");
}
