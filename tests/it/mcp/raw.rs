//! MCP over standard streams, written by hand, for messages that no MCP client sends.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::support::http::initialize;
use crate::support::mcp::Place;
use crate::support::wait::within;

/// A server over standard streams, without an MCP client.
pub struct Raw {
    pub child: Child,
    pub input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Raw {
    pub async fn start(place: &Place, revision: &str) -> Self {
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

    pub async fn say(&mut self, line: &str) {
        self.say_bytes(line.as_bytes()).await;
    }

    pub async fn say_bytes(&mut self, line: &[u8]) {
        within("a line is read", self.input.write_all(line))
            .await
            .unwrap();
        within("a line is read", self.input.write_all(b"\n"))
            .await
            .unwrap();
    }

    pub async fn hear(&mut self) -> Value {
        let line = within("a line", self.output.next_line()).await.unwrap();
        serde_json::from_str(&line.expect("the server ended")).unwrap()
    }
}
