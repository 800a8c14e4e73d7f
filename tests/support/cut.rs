//! A TCP relay that breaks one connection in the middle of a large response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Relays connections to `target` (`host:port`); the first one that returns more than
/// `bytes` is closed at that point. Returns the address to connect to.
pub async fn after(bytes: usize, target: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let (target, broken) = (target.to_owned(), Arc::new(AtomicBool::new(false)));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&target).await.expect("the target");
            tokio::spawn(pass(client, server, bytes, broken.clone()));
        }
    });
    address
}

async fn pass(client: TcpStream, server: TcpStream, bytes: usize, broken: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let (mut passed, mut chunk) = (0, vec![0; 16 * 1024]);
    while let Ok(n @ 1..) = from_server.read(&mut chunk).await {
        passed += n;
        if passed > bytes && !broken.swap(true, Ordering::SeqCst) {
            return;
        }
        if to_client.write_all(&chunk[..n]).await.is_err() {
            return;
        }
    }
}
