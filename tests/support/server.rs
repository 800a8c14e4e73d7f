//! `wassette serve` over HTTP, as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A server on a free port of the loopback address; killed when dropped.
pub struct Server {
    process: Child,
    address: String,
}

impl Server {
    pub fn start(root: &Path, transport: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wassette"))
            .arg("--root")
            .arg(root)
            .args(["serve", "--transport", transport, "--bind", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| Some(line.split_once("listening on ")?.1.trim().to_owned()))
            .expect("the server ended before it listened");
        // Keep reading, or the server would block on the full pipe.
        thread::spawn(move || lines.for_each(drop));
        Server { process, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
