//! A web server for the requests of guests; it records them.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::wait::until;

/// The requests and connections so far.
#[derive(Default)]
pub struct Seen {
    /// The heads of requests.
    pub heads: Mutex<Vec<String>>,
    pub connections: AtomicUsize,
    pub open: AtomicUsize,
    pausing: AtomicUsize,
    /// The largest number of requests that were paused at the same time.
    pub most_pausing: AtomicUsize,
}

/// Listens on a loopback port; ends when dropped.
pub struct Web {
    pub port: u16,
    pub seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Web {
    /// Paths: `/echo` returns the request's body; `/late` answers after 50 ms;
    /// `/pause/N` answers 50 ms after another request was paused at the same time, or
    /// after N ms; `/never` does not answer; `/half` sends part of a body; `/flood`
    /// sends a head of 200 KB; `/to/…` redirects to the rest of the path.
    pub async fn start() -> Self {
        Web::on("127.0.0.1:0").await
    }

    pub async fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&shared);
                tokio::spawn(async move {
                    seen.connections.fetch_add(1, SeqCst);
                    seen.open.fetch_add(1, SeqCst);
                    // Some tests hang up.
                    let _ = answer(stream, &seen).await;
                    seen.open.fetch_sub(1, SeqCst);
                });
            }
        });
        Web { port, seen, task }
    }

    pub fn heads(&self) -> Vec<String> {
        self.seen.heads.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    /// Waits until no client is connected.
    pub async fn is_left_alone(&self) {
        until("clients hang up", || self.seen.open.load(SeqCst) == 0).await;
    }

    /// Stops listening.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

/// Reads one request, answers it, and closes the connection.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Seen,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.heads.lock().unwrap().push(head.clone());
    let path = head.split(' ').nth(1).unwrap_or_default();
    match path {
        "/echo" => {
            let body = read_chunks(&mut stream).await?;
            say(&mut stream, "200 OK", "", &body).await
        }
        "/late" => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            say(&mut stream, "200 OK", "", b"late").await
        }
        _ if path.starts_with("/pause/") => {
            let longest = path["/pause/".len()..].parse().expect("milliseconds");
            let pausing = seen.pausing.fetch_add(1, SeqCst) + 1;
            seen.most_pausing.fetch_max(pausing, SeqCst);
            let another = async {
                while seen.most_pausing.load(SeqCst) < 2 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            // If requests run one after the other, no other one is paused.
            let _ = tokio::time::timeout(Duration::from_millis(longest), another).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Before the answer, because the next request may follow at once.
            seen.pausing.fetch_sub(1, SeqCst);
            say(&mut stream, "200 OK", "", b"late").await
        }
        // Until the client hangs up.
        "/never" => stream.read_u8().await.map(drop),
        "/half" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
                .await?;
            stream.read_u8().await.map(drop)
        }
        "/flood" => {
            let header = format!("x-flood: {}\r\n", "f".repeat(200_000));
            say(&mut stream, "200 OK", &header, b"").await
        }
        _ if path.starts_with("/to/") => {
            let header = format!("location: {}\r\n", &path["/to/".len()..]);
            say(&mut stream, "302 Found", &header, b"").await
        }
        _ => say(&mut stream, "200 OK", "", b"hello").await,
    }
}

async fn say(
    stream: &mut (impl AsyncWrite + Unpin),
    status: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

/// Reads a body in chunks.
async fn read_chunks(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.push(stream.read_u8().await?);
        }
        let size = std::str::from_utf8(&size).expect("a size").trim();
        let size = usize::from_str_radix(size, 16).expect("a size");
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).await?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
