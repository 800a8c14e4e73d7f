//! An HTTP proxy for `CONNECT` and plain requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Sends every request to one address; ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let notes = lines.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let notes = notes.clone();
                tokio::spawn(async move {
                    let _ = pass(stream, target, &notes).await;
                });
            }
        });
        Proxy {
            address,
            lines,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the request lines it received.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    notes: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head);
    let line = text.lines().next().unwrap_or_default().to_owned();
    let tunnel = line.starts_with("CONNECT ");
    notes.lock().expect("no panic").push(line);
    let mut server = TcpStream::connect(target).await?;
    if tunnel {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    } else {
        // Servers accept the absolute form of the URL, too.
        server.write_all(&head).await?;
    }
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Relays connections, but cuts the first one that returns more than `allowance`
/// bytes.
pub struct Cutter {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Cutter {
    pub async fn start(target: String, allowance: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let whole = Arc::new(AtomicBool::new(true));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, whole) = (target.clone(), whole.clone());
                tokio::spawn(async move {
                    let server = TcpStream::connect(target).await?;
                    let (mut from_server, mut to_server) = server.into_split();
                    let (mut from_client, mut to_client) = client.into_split();
                    let requests = async { copy(&mut from_client, &mut to_server).await };
                    let answers = async {
                        if whole.load(Ordering::SeqCst) {
                            let start = &mut (&mut from_server).take(allowance);
                            if copy(start, &mut to_client).await? == allowance {
                                whole.store(false, Ordering::SeqCst);
                                return Ok(0);
                            }
                        }
                        copy(&mut from_server, &mut to_client).await
                    };
                    tokio::select! {
                        moved = requests => moved,
                        moved = answers => moved,
                    }
                });
            }
        });
        Cutter { address, task }
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}
