//! The baseline: a process that answers every request with fixed text.

use std::io::{BufRead, Write};

/// Environment variable that turns this program into the server.
pub const SWITCH: &str = "WASSETTE_BENCH_NULL_SERVER";

const RESULT: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"null","version":"0"},"tools":[],"content":[{"type":"text","text":"{\"result\":3}"}],"structuredContent":{"result":3}}"#;

pub fn serve() {
    let mut stdin = std::io::stdin().lock();
    let mut stdout = std::io::stdout().lock();
    let mut line = String::new();
    while stdin.read_line(&mut line).is_ok_and(|n| n > 0) {
        if let Some(id) = id(&line) {
            let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{RESULT}}}\n");
            if stdout.write_all(answer.as_bytes()).is_err() || stdout.flush().is_err() {
                return;
            }
        }
        line.clear();
    }
}

/// The digits after `"id":`, found without parsing.
fn id(line: &str) -> Option<&str> {
    let rest = line.split_once("\"id\":")?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    (end > 0).then(|| &rest[..end])
}
