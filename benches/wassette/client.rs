//! A minimal MCP client, which exchanges JSON lines over a child's pipes, so that the server
//! dominates the measurement.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub struct Client {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
}

impl Client {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::with_capacity(1 << 20, child.stdout.take().expect("piped"));
        let mut client = Client {
            child,
            stdin,
            stdout,
            next_id: 1,
        };
        let id = client.send(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "bench", "version": "0"},
            }),
        );
        client.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client.answer(id);
        client
    }

    pub fn wassette(root: &Path) -> Self {
        Self::spawn(
            Command::new(env!("CARGO_BIN_EXE_wassette"))
                .arg("--root")
                .arg(root)
                .arg("serve"),
        )
    }

    /// Starts this program as a server of fixed answers.
    pub fn null() -> Self {
        let itself = std::env::current_exe().expect("this program has a path");
        Self::spawn(Command::new(itself).env(crate::null_server::SWITCH, "1"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    fn write(&mut self, message: &Value) {
        let mut line = message.to_string();
        line.push('\n');
        self.stdin
            .write_all(line.as_bytes())
            .expect("the server reads");
    }

    /// The next response, whichever request it answers.
    pub fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            let n = self.stdout.read_line(&mut line).expect("the server writes");
            assert!(n > 0, "the server ended");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            if message.get("id").is_some() && message.get("method").is_none() {
                return message;
            }
        }
    }

    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.next();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{message}");
                assert!(message["result"]["isError"] != true, "{message}");
                return message["result"].clone();
            }
        }
    }

    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.send("tools/call", json!({"name": tool, "arguments": arguments}));
        self.answer(id)
    }

    /// Every page of `tools/list`; returns how many tools there are.
    pub fn list_tools(&mut self) -> usize {
        let mut count = 0;
        let mut params = json!({});
        loop {
            let id = self.send("tools/list", params);
            let page = self.answer(id);
            count += page["tools"].as_array().map_or(0, Vec::len);
            match page.get("nextCursor") {
                Some(cursor) if !cursor.is_null() => params = json!({"cursor": cursor}),
                _ => return count,
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
