//! Components that report everything they can see of their environment.

use std::fs;

use serde_json::{Value, json};

use crate::support::cli::{Cli, Ended};
use crate::support::wat;

/// `variables`, `arguments` and `directory` from `wasi:cli/environment`, and `config`, all entries
/// of `wasi:config/store`.
pub const DUMP: &str = concat!(
    r#"
(component
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))
    (export "initial-cwd" (func (result (option string))))))
  (import "wasi:config/store@0.2.0-draft" (instance $store
    (type $error' (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $error')))
    (export "get-all"
      (func (result (result (list (tuple string string)) (error $error)))))))"#,
    wat::memory!(),
    r#"  (core func $variables (canon lower (func $environment "get-environment")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $arguments (canon lower (func $environment "get-arguments")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $directory (canon lower (func $environment "initial-cwd")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $config (canon lower (func $store "get-all")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $m
    (import "host" "variables" (func $variables (param i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "directory" (func $directory (param i32)))
    (import "host" "config" (func $config (param i32)))
    (func (export "variables") (result i32) (call $variables (i32.const 16)) (i32.const 16))
    (func (export "arguments") (result i32) (call $arguments (i32.const 16)) (i32.const 16))
    (func (export "directory") (result i32) (call $directory (i32.const 16)) (i32.const 16))
    ;; past the discriminant of the result
    (func (export "config") (result i32) (call $config (i32.const 16)) (i32.const 20)))
  (core instance $i (instantiate $m (with "host" (instance
    (export "variables" (func $variables))
    (export "arguments" (func $arguments))
    (export "directory" (func $directory))
    (export "config" (func $config))))))
  (func (export "variables") (result (list (tuple string string)))
    (canon lift (core func $i "variables") (memory (core memory $memory "memory"))))
  (func (export "arguments") (result (list string))
    (canon lift (core func $i "arguments") (memory (core memory $memory "memory"))))
  (func (export "directory") (result (option string))
    (canon lift (core func $i "directory") (memory (core memory $memory "memory"))))
  (func (export "config") (result (list (tuple string string)))
    (canon lift (core func $i "config") (memory (core memory $memory "memory")))))
"#
);

/// Confidential values in a server's environment, and variables that change the behaviour of
/// programs and libraries.
const HOSTILE: [(&str, &str); 7] = [
    ("AWS_SECRET_ACCESS_KEY", "leaked"),
    ("GITHUB_TOKEN", "leaked"),
    ("TOKEN", "of the server"),
    ("PWD", "/leaked"),
    ("RUST_BACKTRACE", "full"),
    ("WASSETTE_GUEST_ENV", "leaked=1"),
    ("A B\nC", "leaked"),
];

/// Returns what a tool of the component reports in a server with these variables.
fn told(cli: &Cli, tool: &str) -> Value {
    let mut command = cli.command();
    command.envs(HOSTILE).args(["call", tool, "-o", "json"]);
    let ended: Ended = command.output().unwrap().into();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    answer["result"].clone()
}

fn grant(cli: &Cli, environment: &str) {
    grant_any(cli, &format!("environment: {{{environment}}}"));
}

fn grant_any(cli: &Cli, permissions: &str) {
    let text = format!("version: \"1.0\"\npermissions:\n  {permissions}\n");
    fs::write(cli.root().join("components/dump/dump.policy.yaml"), text).unwrap();
}

#[test]
fn nothing_is_told_without_a_grant() {
    let cli = Cli::new();
    cli.load(&cli.file("dump.wat", DUMP));
    for environment in [None, Some(""), Some("allow: []")] {
        if let Some(environment) = environment {
            grant(&cli, environment);
        }
        for tool in ["variables", "arguments", "config"] {
            assert_eq!(told(&cli, tool), json!([]), "{tool} {environment:?}");
        }
        assert_eq!(told(&cli, "directory"), json!(null), "{environment:?}");
    }
}

#[test]
fn what_is_granted_is_told_and_no_more() {
    let cli = Cli::new();
    cli.load(&cli.file("dump.wat", DUMP));
    // A name must match exactly, patterns do not work, and missing variables are not invented.
    grant(
        &cli,
        "allow: [{key: TOKEN}, {key: REGION, value: eu}, {key: AWS_SECRET}, \
         {key: github_token}, {key: ABSENT}, {key: PWD, value_from: secret}]",
    );
    let granted = json!([["TOKEN", "of the server"], ["REGION", "eu"]]);
    for tool in ["variables", "config"] {
        assert_eq!(told(&cli, tool), granted, "{tool}");
    }
    assert_eq!(told(&cli, "arguments"), json!([]));
    assert_eq!(told(&cli, "directory"), json!(null));
}

#[test]
fn where_the_server_was_started_is_told_with_files_that_begin_there() {
    let cli = Cli::new();
    let file = cli.file("dump.wat", DUMP);
    cli.load(&file);
    let here = file.parent().unwrap().canonicalize().unwrap();
    for (uri, directory) in [
        ("fs:///data/**", json!(null)),
        ("fs:///**", json!(null)),
        ("fs://work/**", json!(here.to_str().unwrap())),
    ] {
        let rule = format!("storage: {{allow: [{{uri: '{uri}', access: [read]}}]}}");
        grant_any(&cli, &rule);
        assert_eq!(told(&cli, "directory"), directory, "{uri}");
    }
}
