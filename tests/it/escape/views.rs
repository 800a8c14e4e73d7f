//! What a C program sees of the machine it runs on: nothing.

use serde_json::{Value, json};

use crate::support::cli::{Cli, Ended};
use crate::support::guests;

/// What a tool answers in a process with secrets about it, called with arguments
/// that are nobody's business.
fn seen(cli: &Cli, tool: &str) -> Value {
    let mut command = cli.command();
    command
        .env("AWS_SECRET_ACCESS_KEY", "leaked")
        .env("REGION", "leaked")
        .env("WASMTIME_BACKTRACE_DETAILS", "1")
        .args(["call", tool, "-o", "json"]);
    let ended: Ended = command.output().unwrap().into();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    answer["result"].clone()
}

#[test]
fn environment_arguments_and_directory() {
    let cli = Cli::new();
    cli.load(&cli.file("escape.wasm", guests::component("escape")));
    assert_eq!(seen(&cli, "variables"), json!([]));
    assert_eq!(seen(&cli, "arguments"), json!([]));
    // The root that everyone starts with, and where a C program believes it is.
    assert_eq!(seen(&cli, "directories"), json!(["/", "/"]));

    let policy =
        "version: \"1.0\"\npermissions: {environment: {allow: [{key: REGION, value: eu}]}}";
    let file = cli.root().join("components/escape/escape.policy.yaml");
    std::fs::write(file, policy).unwrap();
    assert_eq!(seen(&cli, "variables"), json!(["REGION=eu"]));
    assert_eq!(seen(&cli, "arguments"), json!([]));
    assert_eq!(seen(&cli, "directories"), json!(["/", "/"]));
}
