//! A C program sees nothing of the machine it runs on.

use serde_json::{Value, json};

use crate::support::cli::{Cli, Ended};
use crate::support::guests;

/// Returns a tool's answer in a process with secrets in its environment, called with confidential
/// arguments.
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
    // The root that every guest starts with, which a C program takes for its current directory.
    assert_eq!(seen(&cli, "directories"), json!(["/", "/"]));

    let policy =
        "version: \"1.0\"\npermissions: {environment: {allow: [{key: REGION, value: eu}]}}";
    let file = cli.root().join("components/escape/escape.policy.yaml");
    std::fs::write(file, policy).unwrap();
    assert_eq!(seen(&cli, "variables"), json!(["REGION=eu"]));
    assert_eq!(seen(&cli, "arguments"), json!([]));
    assert_eq!(seen(&cli, "directories"), json!(["/", "/"]));
}
