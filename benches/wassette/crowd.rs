//! A thousand calls in flight over one HTTP server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::components::{install, tiny, write};
use crate::report::{peak_mib, row, title};

const CLIENTS: usize = 1000;
const ROUNDS: usize = 20;

pub fn run() {
    title("1,000 calls in flight over one HTTP server");
    let root = tempfile::tempdir().expect("a directory");
    let file = write(root.path(), "tiny", &tiny());
    install(root.path(), &file);
    let server = Server::start(root.path());
    // Code is loaded at the first call.
    Client::connect(&server.address).call();
    let together = Arc::new(Barrier::new(CLIENTS + 1));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (address, together) = (server.address.clone(), together.clone());
            let work = move || {
                let mut client = Client::connect(&address);
                together.wait();
                for _ in 0..ROUNDS {
                    client.call();
                }
            };
            // A thousand stacks of the usual size would be 2 GB of address space.
            let thread = thread::Builder::new().stack_size(128 * 1024);
            thread.spawn(work).expect("a thread")
        })
        .collect();
    together.wait();
    let started = Instant::now();
    for client in clients {
        client.join().expect("every call is answered");
    }
    let calls = (CLIENTS * ROUNDS) as f64;
    row("calls", calls / started.elapsed().as_secs_f64(), "/s", None);
    let peak = peak_mib(server.process.id());
    row("peak memory of the server", peak, "MiB", None);
}

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(root: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wassette"))
            .arg("--root")
            .arg(root)
            .args(["serve", "--transport", "streamable-http"])
            .args(["--bind", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on http://")?.1.to_owned()))
            .expect("the server listens");
        // Keep reading, because the server would wait when the pipe is full.
        thread::spawn(move || lines.for_each(drop));
        Server { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One connection of the protocol's sessionless revision.
struct Client {
    stream: BufReader<TcpStream>,
    request: String,
}

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket");
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {
                "name": "tiny", "arguments": { "a": 1, "b": 2 },
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "0" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        })
        .to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
             mcp-method: tools/call\r\nmcp-name: tiny\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Client {
            stream: BufReader::new(stream),
            request,
        }
    }

    fn call(&mut self) {
        let request = self.request.as_bytes();
        self.stream.get_mut().write_all(request).expect("sent");
        let mut length = 0;
        let mut head = String::new();
        loop {
            let before = head.len();
            self.stream.read_line(&mut head).expect("an answer");
            let line = head[before..].trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().expect("a number");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        let body = String::from_utf8(body).expect("text");
        assert!(body.contains(r#""result":3"#), "{head}{body}");
    }
}
