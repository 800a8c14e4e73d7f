//! Agent stacks that read the tool list only once: each lists the tools, loads a component, and
//! calls its tool through `call-tool`. `tests/clients/` says which stacks, and has their drivers.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::stacks::{ADD, calc, root, succeeded};
use crate::support::installed;
use crate::support::server::Server;

const ARGS: &str = r#"{"a": 40, "b": 2}"#;

fn script(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(path)
}

/// A stack over the Python SDK before 2.
fn python(stack: &str) -> Command {
    let mut client = installed::client("python-v1/bin/python");
    client.arg(script("python-v1/client.py")).arg(stack);
    client.arg("--load").arg(calc());
    client.args(["--call", ADD, "--args", ARGS, "--"]);
    client
}

fn typescript() -> Command {
    let mut client = installed::client("node");
    client.arg(script("javascript/client.mjs"));
    client.arg(calc()).args([ADD, ARGS]);
    client
}

/// Runs a stack against a server over stdio and each HTTP transport.
fn lists_once(stack: impl Fn() -> Command) {
    let own = root();
    let mut stdio = stack();
    stdio
        .arg(env!("CARGO_BIN_EXE_wassette"))
        .arg("--root")
        .arg(own.path())
        .arg("serve");
    check(stdio);
    for endpoint in ["/mcp", "/sse"] {
        let root = root();
        let server = Server::start(root.path(), "sse");
        let mut http = stack();
        http.arg(server.url(endpoint));
        check(http);
    }
}

fn check(mut stack: Command) {
    let seen = succeeded(stack.output().unwrap());
    let seen: Value = serde_json::from_str(&seen).unwrap();
    let listed = seen["listed"].as_array().unwrap();
    assert!(listed.contains(&json!("call-tool")), "{seen}");
    assert!(!listed.contains(&json!(ADD)), "{seen}");
    assert_eq!(seen["load"]["status"], "new", "{seen}");
    assert_eq!(seen["call"], json!({ "result": 42 }), "{seen}");
}

#[test]
fn python_sdk_before_2() {
    lists_once(|| python("sdk"));
}

#[test]
fn fastmcp() {
    lists_once(|| python("fastmcp"));
}

#[test]
fn langchain_adapters() {
    lists_once(|| python("langchain"));
}

#[test]
fn typescript_sdk() {
    lists_once(typescript);
}

/// Connects clients that support only stdio to a server over HTTP.
#[test]
fn mcp_remote() {
    for endpoint in ["/mcp", "/sse"] {
        let (home, root) = (root(), root());
        let server = Server::start(root.path(), "sse");
        let mut client = typescript();
        client.env("MCP_REMOTE_CONFIG_DIR", home.path());
        client.args(["./node", "node_modules/mcp-remote/dist/proxy.js"]);
        client.args([&server.url(endpoint), "--allow-http"]);
        check(client);
    }
}
