//! Data on terminals, in pipes, and where it cannot be written.

use std::fs::OpenOptions;
use std::process::Stdio;

use serde_json::json;

use crate::support::cli::Cli;
use crate::support::components::{ANSWER, binary};

#[test]
fn what_cannot_be_written_is_an_error() {
    let cli = Cli::new();
    cli.load(&cli.file("answer.wasm", binary(ANSWER)));
    for args in [
        &["list"][..],
        &["list", "-o", "json"],
        &["list", "-o", "yaml"],
        &["tools"],
        &["registry", "list"],
        &["policy", "get", "answer", "--yaml"],
        &["policy", "schema"],
        &["inspect", "answer"],
        &["completions", "bash"],
        &["help", "errors"],
        &["--help"],
        &["--version"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = cli.command().args(args).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("could not be written"), "{args:?}: {said}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let cli = Cli::new();
    for args in [
        &["registry", "list"][..],
        &["completions", "bash"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = cli
            .command()
            .args(args)
            .stdout(Stdio::from(writer))
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(output.stderr, b"", "{args:?}");
    }
}

#[test]
fn no_color_and_dumb_terminals_get_no_escape_sequences() {
    let cli = Cli::new();
    let file = cli.file("answer.wasm", binary(ANSWER));
    let load = ["load", file.to_str().unwrap()];
    for args in [&["unload", "absent"][..], &["lod"], &load, &["--help"]] {
        for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let seen = cli.at_terminal_with(args, &[], &[variable]);
            assert!(
                !seen.screen.contains('\x1b'),
                "{args:?} {variable:?}: {:?}",
                seen.screen
            );
        }
    }
    let seen = cli.at_terminal(&["unload", "absent"], &[]);
    assert!(
        seen.screen.contains("\x1b[1;31merror:"),
        "{:?}",
        seen.screen
    );
}

/// `acme:word/counting#count-the-words`, as a tool with a long name.
const LONG: &str = r#"(component
    (core module $m (func (export "f") (result i32) i32.const 1))
    (core instance $i (instantiate $m))
    (func $f (result u32) (canon lift (core func $i "f")))
    (instance $n (export "count-the-words" (func $f)))
    (export "acme:word/counting" (instance $n)))"#;

#[test]
fn uris_and_names_are_whole_at_80_columns() {
    let cli = Cli::new();
    cli.load(&cli.file("long.wat", LONG));
    for (args, whole) in [
        (
            &["registry", "search", "weather", "js"][..],
            "oci://ghcr.io/microsoft/get-open-meteo-weather-js:latest",
        ),
        (&["list"], "acme_word_counting_count-the-words"),
        (&["list", "--long"], "acme_word_counting_count-the-words"),
        (&["tools"], "acme_word_counting_count-the-words"),
    ] {
        let seen = cli.at_terminal(args, &[]);
        assert!(seen.screen.contains(whole), "{args:?}: {}", seen.screen);
        assert!(!seen.screen.contains(['│', '┌', '|']), "{}", seen.screen);
    }
    let plain = cli.at_terminal_with(&["registry", "list"], &[], &[("LC_ALL", "C")]);
    assert!(
        plain.screen.is_ascii() && plain.screen.contains("..."),
        "{}",
        plain.screen
    );
    for schema in [&["manifest", "schema"][..], &["policy", "schema"]] {
        let mut command = cli.command();
        let printed = command.args(schema).env("LC_ALL", "C").output().unwrap();
        assert!(printed.stdout.is_ascii(), "{schema:?}");
        let ascii: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
        let printed = command.env("LC_ALL", "C.UTF-8").output().unwrap();
        let utf8: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert_eq!(ascii, utf8);
    }
    let page = cli.at_terminal_with(&["help", "server"], &[], &[("LC_ALL", "C")]);
    assert!(page.screen.is_ascii(), "{}", page.screen);
    // A header, and a line for each component.
    assert_eq!(cli.run(["list"]).stdout.lines().count(), 2);
}

#[test]
fn denies_and_limits_are_shown() {
    let cli = Cli::new();
    cli.load(&cli.file("answer.wasm", binary(ANSWER)));
    let policy = r#"
version: "1.0"
permissions:
  network: {allow: [{host: "*.example.com"}], deny: [{host: internal.example.com}]}
  storage:
    allow: [{uri: "fs:///data/in/**", access: [read]}]
    deny: [{uri: "fs:///data/in/private/**"}]
  resources: {limits: {memory: 64Mi}}
"#;
    let file = cli.file("p.yaml", policy);
    let set = cli.run(["policy", "set", "answer", file.to_str().unwrap()]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    let got = cli.run(["policy", "get", "answer"]).stdout;
    for shown in [&set.stdout, &got] {
        for part in ["internal.example.com", "/data/in/private", "denied", "64Mi"] {
            assert!(shown.contains(part), "{shown}");
        }
    }
    let report = cli.json(["policy", "get", "answer"]);
    assert_eq!(report["denied"].as_array().unwrap().len(), 2);
}

#[test]
fn inspect_marks_what_nothing_provides_and_leaves_wasi_out() {
    let cli = Cli::new();
    let unknown = r#"(component
        (import "acme:host/magic@1.0.0" (instance (export "wave" (func))))
        (import "wasi:random/random@0.2.0" (instance
            (export "get-random-u64" (func (result u64)))))
        (core module $m (func (export "run")))
        (core instance $i (instantiate $m))
        (func (export "run") (canon lift (core func $i "run"))))"#;
    let file = cli.file("magic.wat", unknown);
    let file = file.to_str().unwrap();
    let shown = cli.run(["inspect", file]).stdout;
    let line = shown
        .lines()
        .find(|line| line.contains("acme:host/magic"))
        .unwrap();
    assert!(line.contains("not provided"), "{shown}");
    let provided = shown
        .lines()
        .find(|line| line.contains("wasi:random/random"))
        .unwrap();
    assert!(!provided.contains("not provided"), "{shown}");
    assert!(
        !shown.contains("get-random-u64") && shown.contains("--wit"),
        "{shown}"
    );
    assert!(shown.contains("package acme:host"), "{shown}");
    let whole = cli.run(["inspect", file, "--wit"]).stdout;
    assert!(whole.contains("get-random-u64"), "{whole}");
    let data = cli.json(["inspect", file]);
    assert_eq!(data["unknown_imports"], json!(["acme:host/magic@1.0.0"]));
}
