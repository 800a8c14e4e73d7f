//! Clients that send requests and do not read the answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wassette::http::{HttpLimits, HttpOptions};

use crate::support::http::{InProcess, Mcp};
use crate::support::mcp::{BIG, CALC, Place};
use crate::support::wait::{until, within};

/// Posts a call of `big` without reading its answer.
async fn ask(server: &str, client: &Mcp, n: u32) -> TcpStream {
    static ID: AtomicU64 = AtomicU64::new(1_000_000);
    let id = ID.fetch_add(1, Ordering::Relaxed);
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": { "name": "big", "arguments": { "n": n } } })
    .to_string();
    let session = client.session.as_ref().unwrap();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         mcp-session-id: {session}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let address = server.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn first_bytes(stream: &mut TcpStream) -> [u8; 12] {
    let mut first = [0; 12];
    let read = stream.read_exact(&mut first);
    within("an answer begins", read).await.unwrap();
    first
}

/// One session with many calls, and many sessions with one call each: most calls get the error
/// that answers are unread, and other clients still find room.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn slow_readers_take_a_bounded_part_of_the_memory() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    // The answers, the results that wait for room, and those being made.
    let most = (384 + 64 * cores) << 20;
    let place = Place::new();
    let log = place.path("audit.jsonl");
    let server = place.http(&["--audit-log", log.to_str().unwrap()]).await;
    let honest = Mcp::open(&server.url, None).await;
    for (name, wat) in [("big.wat", BIG), ("calc.wat", CALC)] {
        let uri = place.component(name, wat);
        honest.call("load-component", json!({ "uri": uri })).await;
    }
    let whole = honest.call("big", json!({ "n": 15_000_000 })).await;
    assert_eq!(whole["result"]["isError"], false);
    // Calls wait this long for clients that do not read.
    let limit = |text: &str| {
        let path = place.path("root/components/big/big.policy.yaml");
        let policy = format!("version: \"1.0\"\npermissions: {{{text}}}\n");
        std::fs::write(path, policy).unwrap();
    };
    limit("resources: {limits: {time: 10s}}");
    let before = server.peak_memory();
    let mut unread = Vec::new();
    let slow = Mcp::open(&server.url, None).await;
    for _ in 0..40 {
        unread.push(ask(&server.url, &slow, 15_000_000).await);
    }
    for _ in 0..20 {
        let slow = Mcp::open(&server.url, None).await;
        unread.push(ask(&server.url, &slow, 15_000_000).await);
    }
    for stream in &mut unread {
        first_bytes(stream).await;
    }
    let sum = honest.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(sum["result"]["structuredContent"]["result"], 3, "{sum}");
    let grown = server.peak_memory() - before;
    assert!(grown < most, "{} MiB", grown >> 20);
    let calls = std::fs::read_to_string(&log).unwrap();
    assert!(calls.contains(r#""code":"answers-unread""#), "{calls}");
    drop(unread);
    limit("");
    let room = async {
        while honest.call("big", json!({ "n": 15_000_000 })).await["result"]["isError"] != false {}
    };
    within("room for the next", room).await;
}

#[tokio::test]
async fn calls_wait_until_answers_are_read() {
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
    // An answer that is read is complete, whatever its size.
    let whole = client.call("big", json!({ "n": 3_000_000 })).await;
    assert_eq!(whole["result"]["isError"], false);
    let unread = client.send("big", json!({ "n": 15_000_000 })).await;
    // Other sessions still work.
    let other = Mcp::open(&server.url, None).await;
    let small = other.call("big", json!({ "n": 10 })).await;
    assert_eq!(small["result"]["isError"], false);
    let second = client.call("big", json!({ "n": 2_000_000 }));
    let (second, first) = tokio::join!(second, unread.text());
    assert!(first.unwrap().len() > 30_000_000);
    let text = &second["result"]["structuredContent"]["result"];
    assert_eq!(text.as_str().unwrap().len(), 2_000_000);
}

/// Each part of a batch is charged for itself, until all are sent.
#[tokio::test]
async fn a_batch_of_large_results_is_whole() {
    let server = InProcess::start(HttpOptions::default()).await;
    server.load("big.wat", BIG).await;
    let mut first = crate::support::http::initialize();
    first["params"]["protocolVersion"] = json!("2025-03-26");
    let mut client = Mcp::new(&server.url, None);
    let opened = client.post(&first).await;
    let session = opened.headers()["mcp-session-id"].to_str().unwrap();
    client.session = Some(session.to_owned());
    let used = server.service.memory().used();
    for _ in 0..2 {
        let batch: Vec<Value> = (0..4)
            .map(|id| {
                json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
                    "params": { "name": "big", "arguments": { "n": 1_000_000 } } })
            })
            .collect();
        let answer = client.post(&json!(batch)).await;
        let answers: Value = answer.json().await.unwrap();
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), 4);
        for answer in answers {
            let text = &answer["result"]["structuredContent"]["result"];
            assert_eq!(text.as_str().unwrap().len(), 1_000_000);
        }
    }
    let given_back = async {
        while server.service.memory().used() > used {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the memory is given back", given_back).await;
}

/// Unread answers keep the slots of their requests.
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
    let mut unread = Vec::new();
    for _ in 0..2 {
        // A request may keep its slot for a moment after its answer.
        let answered = async {
            loop {
                let mut stream = ask(&server.url, &client, 15_000_000).await;
                if first_bytes(&mut stream).await == *b"HTTP/1.1 200" {
                    return stream;
                }
            }
        };
        unread.push(within("an answer", answered).await);
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
    within("a place", free).await;
}

/// A client that writes many requests before it reads an answer is not blocked.
#[tokio::test]
async fn requests_are_read_ahead_of_their_answers() {
    let place = Place::new();
    let mut raw = super::raw::Raw::start(&place, "2025-06-18").await;
    // Some 6 MB; their answers would be some hundred.
    for id in 0..100_000 {
        let list = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#);
        raw.say(&list).await;
    }
    for _ in 0..100 {
        assert!(raw.hear().await["result"].is_object());
    }
    raw.child.start_kill().unwrap();
}

/// Reading ahead has a limit, at which the client has to wait.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_never_reads_is_held_back() {
    use std::os::fd::AsFd as _;

    use crate::support::mcp::peak_memory;
    use crate::support::processor;

    const LINES: u32 = 4000;
    const PADDING: usize = 32 * 1024;

    let place = Place::new();
    let mut raw = super::raw::Raw::start(&place, "2025-06-18").await;
    let server = raw.child.id().unwrap();
    let before = peak_memory(raw.child.id());
    let pipe = raw.input.as_fd().try_clone_to_owned().unwrap();
    let mut sent = 0;
    let writing = async {
        while sent < LINES {
            let padding = "x".repeat(PADDING);
            let list = json!({ "jsonrpc": "2.0", "id": sent, "method": "tools/list",
                "params": { "_meta": { "padding": padding } } });
            let line = format!("{list}\n");
            raw.input.write_all(line.as_bytes()).await.unwrap();
            sent += 1;
        }
    };
    // Nothing is written meanwhile, so the server waits although lines are unread.
    let is_unread = || rustix::io::ioctl_fionread(&pipe).unwrap() > 0;
    let is_held = || is_unread() && processor::is_asleep(server) && is_unread();
    let held = until("the client is held back", is_held);
    tokio::select! {
        () = writing => panic!("all was read"),
        () = held => {}
    }
    let grown = peak_memory(raw.child.id()) - before;
    assert!(grown < 128 << 20, "{} MiB", grown >> 20);
    // The server continues reading when the client does.
    for _ in 0..20 {
        assert!(raw.hear().await["result"].is_object());
    }
    raw.child.start_kill().unwrap();
}
