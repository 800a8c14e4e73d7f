//! MCP clients by other authors, against the server: the Inspector, the Python SDK and the
//! conformance suite (`tests/clients/` says which and why).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::installed;
use crate::support::server::Server;

const BUILT_IN: [&str; 4] = [
    "load-component",
    "unload-component",
    "list-components",
    "search-components",
];

/// The tool that the tests call, and the example that has it.
pub const ADD: &str = "examples_calc_arithmetic_add";

pub fn calc() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/calc-wat/calc.wat")
}

pub fn root() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A root in which the calculator is installed.
fn root_with_calc() -> TempDir {
    let root = root();
    let load = Command::new(env!("CARGO_BIN_EXE_wassette"))
        .arg("--root")
        .arg(root.path())
        .args(["load", "--uri"])
        .arg(calc())
        .output();
    succeeded(load.unwrap());
    root
}

pub fn succeeded(output: Output) -> String {
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    stdout
}

// ---- MCP Inspector ----

#[test]
fn inspector_over_stdio() {
    let root = root_with_calc();
    inspect(|inspector| {
        inspector
            .arg(env!("CARGO_BIN_EXE_wassette"))
            // The Inspector takes `--root` as its own option unless it follows the command.
            .args(["serve", "--transport", "stdio"])
            .args(["-e", &format!("WASSETTE_ROOT={}", root.path().display())]);
    });
}

#[test]
fn inspector_over_sse() {
    let root = root_with_calc();
    let server = Server::start(root.path(), "sse");
    inspect(|inspector| {
        inspector.args(["--transport", "sse", "--server-url", &server.url("/sse")]);
    });
}

#[test]
fn inspector_over_streamable_http() {
    let root = root_with_calc();
    let server = Server::start(root.path(), "streamable-http");
    inspect(|inspector| {
        inspector.args(["--transport", "http", "--server-url", &server.url("/mcp")]);
    });
}

/// Lists the tools and calls one. `connect` tells the Inspector how to reach the server.
fn inspect(connect: impl Fn(&mut Command)) {
    let run = |method: &[&str]| -> Value {
        let home = root();
        let mut inspector = installed::npm("mcp-inspector");
        inspector.arg("--cli").env("HOME", home.path());
        connect(&mut inspector);
        let output = inspector.args(method).output().unwrap();
        serde_json::from_str(&succeeded(output)).unwrap()
    };

    let listed = run(&["--method", "tools/list"]);
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|t| t["name"].as_str().unwrap()).collect();
    for name in BUILT_IN.into_iter().chain([ADD]) {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }

    let called = run(&[
        "--method",
        "tools/call",
        "--tool-name",
        ADD,
        "--tool-arg",
        "a=40",
        "b=2",
    ]);
    assert_eq!(called["structuredContent"], json!({ "result": 42 }));
    assert_ne!(called["isError"], json!(true));
}

// ---- Python SDK ----

/// The SDK's connection modes, and the protocol revision that each negotiates.
const REVISIONS: [(&str, &str); 2] = [("legacy", "2025-11-25"), ("auto", "2026-07-28")];

#[test]
fn python_sdk_over_stdio() {
    for (mode, revision) in REVISIONS {
        let root = root();
        let seen = python_sdk("stdio", mode, |client| {
            client
                .arg("--")
                .arg(env!("CARGO_BIN_EXE_wassette"))
                .arg("--root")
                .arg(root.path())
                .arg("serve");
        });
        assert_eq!(seen["protocol"], revision);
        check_python_sdk(&seen);
    }
}

#[test]
fn python_sdk_over_sse() {
    let root = root();
    let server = Server::start(root.path(), "sse");
    let seen = python_sdk("sse", "legacy", |client| {
        client.arg(server.url("/sse"));
    });
    check_python_sdk(&seen);
}

#[test]
fn python_sdk_over_streamable_http() {
    for (mode, revision) in REVISIONS {
        let root = root();
        let server = Server::start(root.path(), "streamable-http");
        let seen = python_sdk("streamable-http", mode, |client| {
            client.arg(server.url("/mcp"));
        });
        assert_eq!(seen["protocol"], revision);
        check_python_sdk(&seen);
    }
}

/// One run of tests/clients/python/client.py.
fn python_sdk(transport: &str, mode: &str, connect: impl Fn(&mut Command)) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/python/client.py");
    let mut client = installed::python();
    client
        .arg(script)
        .args(["--transport", transport, "--mode", mode, "--load"])
        .arg(calc())
        .args(["--call", ADD, "--args", r#"{"a": 40, "b": 2}"#]);
    connect(&mut client);
    serde_json::from_str(&succeeded(client.output().unwrap())).unwrap()
}

fn check_python_sdk(seen: &Value) {
    let has_tool = |at: &str| seen[at].as_array().unwrap().contains(&json!(ADD));
    assert!(!has_tool("before"), "{seen}");
    assert_eq!(seen["load"]["structured"]["status"], "new", "{seen}");
    assert_eq!(
        seen["changed"], true,
        "no notice that the tools changed: {seen}"
    );
    assert!(has_tool("after"), "{seen}");
    assert_eq!(
        seen["call"]["structured"],
        json!({ "result": 42 }),
        "{seen}"
    );
    assert_eq!(seen["unload"]["is_error"], false, "{seen}");
    assert_eq!(seen["last"], seen["before"]);
}

// ---- conformance suite ----

/// The scenarios that apply to a server without special test tools.
/// `tests/clients/conformance/README.md` says why the others are left out.
const SCENARIOS: [&str; 5] = [
    "server-initialize",
    "ping",
    "tools-list",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
];

#[test]
fn conformance_suite() {
    let root = root_with_calc();
    let server = Server::start(root.path(), "streamable-http");
    let results = root.path().join("results");
    for scenario in SCENARIOS {
        let mut suite = installed::npm("conformance");
        suite
            .args([
                "server",
                "--url",
                &server.url("/mcp"),
                "--scenario",
                scenario,
            ])
            .arg("--output-dir")
            .arg(results.join(scenario));
        succeeded(suite.output().unwrap());
        assert!(
            successes(&results.join(scenario)) > 0,
            "{scenario} checked nothing"
        );
    }
}

/// How many checks of a run succeeded, from the `checks.json` it wrote.
fn successes(results: &Path) -> usize {
    let run = fs::read_dir(results).unwrap().next().unwrap().unwrap();
    let checks = fs::read(run.path().join("checks.json")).unwrap();
    let checks: Vec<Value> = serde_json::from_slice(&checks).unwrap();
    let succeeded = checks.iter().filter(|check| check["status"] == "SUCCESS");
    succeeded.count()
}
