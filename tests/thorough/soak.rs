//! Two minutes of hostile clients and components beside honest ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::http::Mcp;
use crate::support::mcp::{BIG, CALC, Place};
use crate::support::wait::until;

const LENGTH: Duration = Duration::from_secs(120);
/// Memory that the server may keep afterwards, in bytes: pools, code and the allocator's caches.
const KEPT: u64 = 64 << 20;
const HONEST: &str = "honest-0123456789-0123456789-012";
const HOSTILE: &str = "hostile-0123456789-0123456789-01";

/// `forever` never returns.
const FOREVER: &str = r#"
(component
  (core module $m (func (export "forever") (loop $l (br $l))))
  (core instance $i (instantiate $m))
  (func (export "forever") (canon lift (core func $i "forever"))))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_clients_take_nothing_from_an_honest_one() {
    let place = Place::new();
    let tokens = place.secret("tokens", &format!("{HONEST}\n{HOSTILE}\n"));
    let args = ["--auth-token-file", &tokens, "--call-timeout", "5s"];
    let mut server = place.http(&args).await;
    let honest = Mcp::open(&server.url, Some(HONEST)).await;
    for (name, wat) in [
        ("calc.wat", CALC),
        ("forever.wat", FOREVER),
        ("big.wat", BIG),
    ] {
        let uri = place.component(name, wat);
        honest.call("load-component", json!({ "uri": uri })).await;
    }
    add(&honest).await;
    let pid = server.child.id().unwrap();
    let (memory, files) = (memory_of(pid), files_of(pid));

    let mut hostile = JoinSet::new();
    for _ in 0..4 {
        hostile.spawn(endless_calls(server.url.clone()));
        hostile.spawn(unread_answers(server.url.clone()));
    }
    hostile.spawn(abandoned_sessions(server.url.clone()));
    hostile.spawn(unreadable_requests(server.url.clone()));
    hostile.spawn(idle_connections(server.url.clone()));
    let calls = AtomicU64::new(0);
    let end = Instant::now() + LENGTH;
    let work = async || {
        while Instant::now() < end {
            add(&honest).await;
            calls.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(work(), work(), work(), work());
    println!("{} honest calls", calls.load(Ordering::Relaxed));

    assert!(hostile.try_join_next().is_none(), "one stopped by itself");
    hostile.shutdown().await;
    drop(honest);
    // Removing its token ends what the other client left behind.
    place.secret("tokens", HONEST);
    let is_back = || memory_of(pid) < memory + KEPT && files_of(pid) <= files;
    until("memory and files are given back", is_back).await;
    server.child.start_kill().unwrap();
}

async fn add(client: &Mcp) {
    let sum = client.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(sum["result"]["structuredContent"]["result"], 3, "{sum}");
}

/// Makes calls that use the processor until their time limit.
async fn endless_calls(url: String) {
    let client = Mcp::open(&url, Some(HOSTILE)).await;
    loop {
        client.send("forever", json!({})).await;
    }
}

/// Makes calls with answers of 15 MB each, and does not read them for a while.
async fn unread_answers(url: String) {
    let client = Mcp::open(&url, Some(HOSTILE)).await;
    loop {
        let mut unread = Vec::new();
        for _ in 0..20 {
            unread.push(client.send("big", json!({ "n": 15_000_000 })).await);
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Opens sessions and never uses them.
async fn abandoned_sessions(url: String) {
    loop {
        Mcp::new(&url, Some(HOSTILE)).initialize().await;
    }
}

/// Sends megabytes that are not a request, and requests with large results.
async fn unreadable_requests(url: String) {
    let client = Mcp::open(&url, Some(HOSTILE)).await;
    let zeros = format!("[{}0]", "0,".repeat(1_500_000));
    loop {
        client.post(&json!(zeros)).await;
        let body = client.request(reqwest::Method::POST).body(zeros.clone());
        // The server may close the connection before it has read everything.
        let _ = body.send().await;
    }
}

/// Keeps connections without a token alive.
async fn idle_connections(url: String) {
    const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let address = url.strip_prefix("http://").unwrap();
    let mut connections: Vec<TcpStream> = Vec::new();
    loop {
        // Connections that the server has closed make room for others.
        connections.retain(|connection| connection.try_write(HEALTH).is_ok());
        while connections.len() < 500 {
            let mut connection = TcpStream::connect(address).await.unwrap();
            if connection.write_all(HEALTH).await.is_ok() {
                connections.push(connection);
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// Returns the resident memory of a process, in bytes.
fn memory_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

/// Returns the number of files that a process has open.
fn files_of(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}
