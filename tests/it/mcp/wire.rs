//! What clients of any kind send, and how they are answered, over each
//! transport.

use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client as Http, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout};
use wassette::http::{HttpLimits, HttpOptions};

use crate::support::http::{InProcess, Mcp, Sse, initialize, message};
use crate::support::mcp::{PATIENCE, Place, install_tls};

/// `big(n)` returns a text of `n` bytes.
const BIG: &str = r#"
(component
  (core module $m
    (memory (export "mem") 400)
    (func (export "big") (param i32) (result i32)
      (memory.fill (i32.const 64) (i32.const 120) (local.get 0))
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (local.get 0))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "big") (param "n" u32) (result string)
    (canon lift (core func $i "big") (memory (core memory $i "mem")))))
"#;

fn kind(response: &Response) -> String {
    response.headers()["content-type"].to_str().unwrap().into()
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it hangs")
}

/// The server over its standard streams, by hand.
struct Raw {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Raw {
    async fn start(place: &Place, revision: &str) -> Self {
        let mut command = place.command(&["--transport", "stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut raw = Raw {
            child,
            input,
            output,
        };
        let mut first = initialize();
        first["params"]["protocolVersion"] = json!(revision);
        raw.say(&first.to_string()).await;
        assert_eq!(raw.hear().await["result"]["protocolVersion"], revision);
        raw.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await;
        raw
    }

    async fn say(&mut self, line: &str) {
        self.say_bytes(line.as_bytes()).await;
    }

    async fn say_bytes(&mut self, line: &[u8]) {
        within(self.input.write_all(line)).await.unwrap();
        within(self.input.write_all(b"\n")).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let line = within(self.output.next_line()).await.unwrap();
        serde_json::from_str(&line.expect("the server ended")).unwrap()
    }
}

#[tokio::test]
async fn answers_are_of_a_kind_that_the_client_accepts() {
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::open(&server.url, None).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let (json, events) = ("application/json", "text/event-stream");
    for (accept, expected) in [
        (Some("text/event-stream"), events),
        (Some("application/json"), json),
        (Some("application/json, text/event-stream"), json),
        (Some("*/*"), json),
        (Some("application/json, text/*"), json),
        (Some("text/html"), json),
        (None, json),
    ] {
        for (path, revision) in [
            ("/mcp", "2025-06-18"),
            ("/mcp/", "2025-06-18"),
            ("/mcp", "2026-07-28"),
        ] {
            let mut request = Http::new()
                .post(format!("{}{path}", server.url))
                .header("content-type", "application/json")
                .header("mcp-protocol-version", revision);
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            let request = if revision == "2026-07-28" {
                let mut list: Value = serde_json::from_str(&list).unwrap();
                list["params"]["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": revision,
                    "io.modelcontextprotocol/clientInfo": { "name": "x", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                });
                request
                    .header("mcp-method", "tools/list")
                    .body(list.to_string())
            } else {
                request
                    .header("mcp-session-id", client.session.clone().unwrap())
                    .body(list.clone())
            };
            let answer = request.send().await.unwrap();
            let place = format!("{accept:?} {path} {revision}");
            assert_eq!(answer.status(), StatusCode::OK, "{place}");
            assert!(kind(&answer).starts_with(expected), "{place}");
            let answer = message(&answer.text().await.unwrap());
            assert!(answer["result"]["tools"].is_array(), "{place}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_large_answer_is_no_event() {
    let server = InProcess::start(HttpOptions::default()).await;
    server.load("big.wat", BIG).await;
    let client = Mcp::open(&server.url, None).await;
    let answer = client.send("big", json!({ "n": 600_000 })).await;
    assert_eq!(kind(&answer), "application/json");
    let answer = message(&answer.text().await.unwrap());
    let text = answer["result"]["structuredContent"]["result"].as_str();
    assert_eq!(text.unwrap().len(), 600_000);
}

#[tokio::test]
async fn a_session_ends_with_204_and_is_gone() {
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::open(&server.url, None).await;
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let ended = client.request(Method::DELETE).send().await.unwrap();
        assert_eq!(ended.status(), status);
    }
    let ping = json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" });
    assert_eq!(client.post(&ping).await.status(), StatusCode::NOT_FOUND);
}

fn batch() -> Value {
    json!([
        { "jsonrpc": "2.0", "id": 71, "method": "ping" },
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        { "jsonrpc": "2.0", "id": 72 },
        { "jsonrpc": "2.0", "id": "73", "method": "tools/list" },
    ])
}

fn is_answer_to_batch(answer: &Value) {
    let answers = answer.as_array().expect("an array");
    let by_id = |id: Value| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answers.len(), 3, "{answer}");
    assert!(by_id(json!(71))["result"].is_object());
    assert_eq!(by_id(json!(72))["error"]["code"], -32600);
    assert!(by_id(json!("73"))["result"]["tools"].is_array());
}

#[tokio::test]
async fn batches_are_answered_where_the_revision_has_them() {
    let place = Place::new();
    let mut raw = Raw::start(&place, "2025-03-26").await;
    raw.say(&batch().to_string()).await;
    is_answer_to_batch(&raw.hear().await);
    let mut raw = Raw::start(&place, "2025-06-18").await;
    raw.say(&batch().to_string()).await;
    let refused = raw.hear().await;
    assert_eq!(refused["id"], Value::Null);
    assert_eq!(refused["error"]["code"], -32600, "{refused}");

    let server = InProcess::start(HttpOptions::default()).await;
    for (revision, status) in [
        ("2025-03-26", StatusCode::OK),
        ("2025-06-18", StatusCode::BAD_REQUEST),
    ] {
        let mut first = initialize();
        first["params"]["protocolVersion"] = json!(revision);
        let mut client = Mcp::new(&server.url, None);
        let opened = client.post(&first).await;
        let session = opened.headers()["mcp-session-id"].to_str().unwrap();
        client.session = Some(session.to_owned());
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        client.post(&initialized).await;
        let answer = client.post(&batch()).await;
        assert_eq!(answer.status(), status, "{revision}");
        if status == StatusCode::OK {
            is_answer_to_batch(&message(&answer.text().await.unwrap()));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_always_answered() {
    let place = Place::new();
    let mut raw = Raw::start(&place, "2025-06-18").await;
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::open(&server.url, None).await;
    let head = r#"{"jsonrpc":"2.0","id":77,"method":"#;
    let long = "y".repeat(5 << 20);
    let surrogate =
        format!(r#"{head}"tools/call","params":{{"name":"x","arguments":{{"q":"a\ud83d"}}}}}}"#);
    for (line, id) in [
        (surrogate.into_bytes(), json!(77)),
        (
            [head.as_bytes(), b"\"ping\",\"params\":{\"x\":\"\xff\"}}"].concat(),
            json!(77),
        ),
        (format!(r#"{head}"ping""#).into_bytes(), Value::Null),
        (b"hello".to_vec(), Value::Null),
        (
            format!(r#"{head}"ping","params":{{"x":"{long}"}}}}"#).into_bytes(),
            Value::Null,
        ),
    ] {
        raw.say_bytes(&line).await;
        let answer = raw.hear().await;
        assert_eq!(answer["id"], id, "{answer}");
        assert!(answer["error"]["code"].is_i64(), "{answer}");
        if line.len() > 4 << 20 {
            let text = answer["error"]["message"].as_str().unwrap();
            assert!(text.contains("max_body"), "{text}");
            continue;
        }
        let posted = client.request(Method::POST).body(line).send().await;
        let posted = posted.unwrap();
        assert_eq!(posted.status(), StatusCode::BAD_REQUEST);
        let answer: Value = serde_json::from_str(&posted.text().await.unwrap()).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
    }
    // It goes on.
    raw.say(r#"{"jsonrpc":"2.0","id":78,"method":"ping"}"#)
        .await;
    assert_eq!(raw.hear().await["id"], 78);
}

/// What a client says of itself is kept as long as its session.
#[tokio::test]
async fn a_large_introduction_is_refused() {
    let mut large = initialize();
    large["params"]["capabilities"] =
        json!({ "experimental": { "x": { "a": vec![json!([]); 40_000] } } });
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::new(&server.url, None);
    let refused = client.post(&large).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(refused["id"], 1);
    let sse = Sse::open(&server.url, None).await;
    assert_eq!(sse.post(&large).await.status(), StatusCode::BAD_REQUEST);
    let mut meta = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {} });
    meta["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": large["params"]["capabilities"],
    });
    let refused = client.post(&meta).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);

    let place = Place::new();
    let mut raw = Raw::start(&place, "2025-06-18").await;
    raw.say(&large.to_string()).await;
    assert!(raw.hear().await["error"]["code"].is_i64());
}

#[tokio::test]
async fn requests_are_not_read_while_their_answers_are_not() {
    let place = Place::new();
    let mut raw = Raw::start(&place, "2025-06-18").await;
    // Lines are what this client waits for, so it writes until it must wait.
    let mut sent = 0_u32;
    let mut is_held = false;
    while sent < 200_000 && !is_held {
        let list = format!("{{\"jsonrpc\":\"2.0\",\"id\":{sent},\"method\":\"tools/list\"}}\n");
        let writing = raw.input.write_all(list.as_bytes());
        is_held = tokio::time::timeout(Duration::from_secs(10), writing)
            .await
            .is_err();
        sent += 1;
    }
    assert!(is_held, "{sent} requests were read");
    // Reading goes on with the client's.
    for _ in 0..20 {
        assert!(raw.hear().await["result"].is_object());
    }
    raw.child.start_kill().unwrap();
}

/// Answers that nobody reads keep their requests' places.
#[tokio::test]
async fn a_place_is_kept_until_the_answer_is_sent() {
    let server = InProcess::start(HttpOptions {
        limits: HttpLimits {
            requests: 2,
            ..HttpLimits::default()
        },
        ..HttpOptions::default()
    })
    .await;
    server.load("big.wat", BIG).await;
    let client = Mcp::open(&server.url, None).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let session = client.session.clone().unwrap();
    let mut unread = Vec::new();
    for id in [100, 101] {
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": "big", "arguments": { "n": 15_000_000 } } });
        let body = call.to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             mcp-session-id: {session}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // A request may keep its place for a moment after its answer.
        let answered = async {
            loop {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut first = [0; 12];
                stream.read_exact(&mut first).await.unwrap();
                if &first == b"HTTP/1.1 200" {
                    return stream;
                }
            }
        };
        unread.push(within(answered).await);
    }
    let ping = json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" });
    let refused = client.post(&ping).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(unread);
    let free = async {
        while client.post(&ping).await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(free).await;
}

#[tokio::test]
async fn answers_beyond_the_budget_become_errors() {
    let server = InProcess::start(HttpOptions {
        limits: HttpLimits {
            answer_memory: 1024 * 1024,
            ..HttpLimits::default()
        },
        ..HttpOptions::default()
    })
    .await;
    server.load("big.wat", BIG).await;
    let client = Mcp::open(&server.url, None).await;
    // One that is read, at whatever size, is whole.
    let whole = client.call("big", json!({ "n": 3_000_000 })).await;
    assert_eq!(whole["result"]["isError"], false);
    let mut unread = Vec::new();
    let refused = async {
        loop {
            let answer = client.send("big", json!({ "n": 15_000_000 })).await;
            if answer.content_length().is_some_and(|length| length < 1_000) {
                return answer;
            }
            unread.push(answer);
        }
    };
    let answer = within(refused).await;
    let answer = message(&answer.text().await.unwrap());
    assert_eq!(
        answer["error"]["data"]["code"], "answers-unread",
        "{answer}"
    );
}

/// The holder of a token gets in however many connections there are of those
/// who have none.
#[tokio::test]
async fn idle_connections_make_room() {
    let place = Place::new();
    let token = "alice-7f3c9a52e1b84d06";
    let file = place.secret("token", token);
    let tokens = wassette::http::Tokens::read(std::path::Path::new(&file)).unwrap();
    let server = InProcess::start(HttpOptions {
        auth: wassette::http::Auth::Tokens(tokens),
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
        within(stream.read_exact(&mut first)).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        idle.push(stream);
    }
    // Others say nothing at all.
    for _ in 0..12 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let client = within(Mcp::open(&server.url, Some(token))).await;
    let listed = within(client.call("list-components", json!({}))).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");
    // Beyond half of the places, connections without a token are closed after
    // their answer.
    let mut said = Vec::new();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(asking).await.unwrap();
    within(stream.read_to_end(&mut said)).await.unwrap();
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
    within(refused).await;
    // Its sessions end with it.
    within(news.text()).await.ok();
    within(sse.ended).await.unwrap();
    Mcp::open(&server.url, Some(new)).await;
    // What is no list of tokens changes nothing.
    place.secret("token", "short");
    let warned = async {
        while !server.log().join("\n").contains("shorter than 16") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(warned).await;
    Mcp::open(&server.url, Some(new)).await;
    for secret in [old, new, &session.session.unwrap()] {
        assert!(!server.log().join("\n").contains(secret));
    }
}
