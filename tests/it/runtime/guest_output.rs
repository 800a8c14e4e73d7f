//! A guest's output never reaches the streams of the protocol or of data.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::mcp::{Place, text_of};
use crate::support::wat;

/// `print` writes a line to standard output, and returns 7.
const PRINTS: &str = concat!(
    "(component",
    wat::streams!(),
    r#"    (core module $memory (memory (export "memory") 1)
        (data (i32.const 64) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"))
    (core instance $memory (instantiate $memory))
    (core func $get (canon lower (func $stdout "get-stdout")))
    (core func $write
        (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
            (memory (core memory $memory "memory"))))
    (core module $m
        (import "host" "get" (func $get (result i32)))
        (import "host" "write" (func $write (param i32 i32 i32 i32)))
        (func (export "print") (result i32)
            (call $write (call $get) (i32.const 64) (i32.const 39) (i32.const 0))
            (i32.const 7)))
    (core instance $i (instantiate $m
        (with "host" (instance (export "get" (func $get)) (export "write" (func $write))))))
    (func (export "print") (result u32) (canon lift (core func $i "print"))))"#
);

#[test]
fn a_guest_cannot_forge_messages_over_stdio() {
    let cli = Cli::new();
    cli.load(&cli.file("prints.wat", PRINTS));
    let mut server = cli
        .command()
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = server.stdin.take().unwrap();
    for message in [
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "print"}}),
    ] {
        writeln!(stdin, "{message}").unwrap();
    }
    drop(stdin);
    let output = server.wait_with_output().unwrap();
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        lines[1]["result"]["structuredContent"],
        json!({"result": 7})
    );
}

#[test]
fn a_guest_adds_nothing_to_the_data_of_a_command() {
    let cli = Cli::new();
    cli.load(&cli.file("prints.wat", PRINTS));
    assert_eq!(cli.json(["call", "print"]), json!({"result": 7}));
}

/// Like [`PRINTS`], with a panic: `print` writes 39 bytes to standard error, and traps.
fn panics() -> String {
    let texts = [
        ("wasi:cli/stdout", "wasi:cli/stderr"),
        ("get-stdout", "get-stderr"),
        (
            r#""{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n""#,
            r#""panicked: no city \1b[31m\e2\80\aenamed Atlantis\n""#,
        ),
        ("(i32.const 7)))", "(unreachable)))"),
    ];
    texts.iter().fold(PRINTS.to_owned(), |wat, (old, new)| {
        assert!(wat.contains(old), "{old}");
        wat.replace(old, new)
    })
}

#[tokio::test]
async fn a_trap_says_what_the_guest_wrote_to_standard_error() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("panics.wat", &panics())).await;
    let result = client.call("print", json!({})).await;
    assert_eq!(result.is_error, Some(true));
    let told = text_of(&result);
    assert_eq!(told["code"], "trap");
    assert_eq!(
        told["facts"][0],
        json!(["stderr", "panicked: no city [31mnamed Atlanti"])
    );
    let cli = place.wassette(&["call", "print"]).output().await.unwrap();
    let stderr = String::from_utf8(cli.stderr).unwrap();
    assert!(
        stderr.contains("stderr: panicked: no city [31mnamed Atlanti\n"),
        "{stderr}"
    );
    assert_eq!(cli.status.code(), Some(7));
}
