//! Text from components and registries cannot control a terminal, hide anything from a reader, or
//! pass for the program's own messages.

use std::fs;

use crate::support::artifact::{Artifact, descriptor};
use crate::support::cli::Cli;
use crate::support::components::{ANSWER, binary};

/// Whether the text has no control characters but line feeds and tabs, and no hidden or reordered
/// text.
fn is_harmless(text: &str) -> bool {
    let hides = |c: char| {
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || ('\u{e0000}'..='\u{e007f}').contains(&c)
    };
    !text
        .chars()
        .any(|c| c.is_control() && !"\n\t\r".contains(c) || hides(c))
}

/// A component whose `boom` traps, and whose `say` returns hostile text.
const HOSTILE: &str = r#"(component
    (core module $m (@name "m\1b]0;PWNED\07\nerror: fake")
        (memory (export "memory") 1)
        (data (i32.const 64) "\08\00\00\00\0d\00\00\00")
        (data (i32.const 8) "a\1b[2Jb\e2\80\aec\n d")
        (func (export "say") (result i32) (i32.const 64))
        (func (@name "f\1b[2J\u{202e}\u{200b}\u{e0041}\nhint: run `rm`") (export "boom")
            unreachable))
    (core instance $i (instantiate $m))
    (func (export "say") (result string)
        (canon lift (core func $i "say") (memory (core memory $i "memory"))))
    (func (export "boom") (canon lift (core func $i "boom"))))"#;

#[test]
fn names_in_a_backtrace_are_one_clean_line_each() {
    let cli = Cli::new();
    cli.load(&cli.file("hostile.wat", HOSTILE));
    let ended = cli.run(["call", "boom"]);
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    assert!(is_harmless(&ended.stderr), "{:?}", ended.stderr);
    assert!(ended.stderr.contains(r"\u{202e}"), "{}", ended.stderr);
    let speaks = |line: &str| line.starts_with("hint: run `rm`") || line.starts_with("error: fake");
    assert!(!ended.stderr.lines().any(speaks), "{}", ended.stderr);
    let json = cli.run(["call", "boom", "-o", "json"]).stderr;
    assert!(is_harmless(&json), "{json:?}");
}

#[test]
fn a_string_is_raw_in_a_pipe_alone() {
    let cli = Cli::new();
    cli.load(&cli.file("hostile.wat", HOSTILE));
    let piped = cli.run(["call", "say"]).stdout;
    assert_eq!(piped, "a\u{1b}[2Jb\u{202e}c\n d\n");
    let json = cli.run(["call", "say", "-o", "json"]).stdout;
    assert!(is_harmless(&json), "{json:?}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["result"], piped.trim_end());
    for args in [&["call", "say"][..], &["call", "say", "-o", "yaml"]] {
        let seen = cli.at_terminal(args, &[]);
        assert_eq!(seen.code, 0);
        let screen = seen.screen.replace("\x1b[2K", "");
        assert!(is_harmless(&screen), "{screen:?}");
    }
}

#[test]
fn media_types_of_an_artifact_are_clean() {
    let cli = Cli::new();
    let evil = "application/x\u{202e}msaw\u{202c}\u{2066}\u{200b}\u{2028}\u{1b}[2Jy";
    let wasm = binary(ANSWER);
    let artifact = Artifact::new(&[(evil, &wasm)]);
    let layout = cli.root().join("../files/layout");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    let manifest = artifact.bytes();
    for blob in [&manifest, &wasm, &b"{}".to_vec()] {
        let digest = wassette::digest::Digest::of(blob);
        fs::write(blobs.join(digest.hex()), blob).unwrap();
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let index = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [descriptor(kind, &manifest)],
    });
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    let reference = format!("oci-layout://{}", layout.canonicalize().unwrap().display());
    for format in ["table", "json"] {
        let ended = cli.run(["load", &reference, "-o", format]);
        assert_eq!(ended.code, 6, "{}", ended.stderr);
        assert!(ended.stderr.contains("msaw"), "{}", ended.stderr);
        assert!(is_harmless(&ended.stderr), "{:?}", ended.stderr);
    }
}

#[test]
fn what_is_typed_and_logged_stays_in_its_line() {
    let cli = Cli::new();
    cli.load(&cli.file("hostile.wat", HOSTILE));
    let ended = cli.run(["-vv", "call", "x\u{1b}[2J\u{202e}\nhint: run `rm`"]);
    assert_eq!(ended.code, 3);
    assert!(is_harmless(&ended.stderr), "{:?}", ended.stderr);
    let speaks = |line: &str| line.starts_with("hint: run `rm`");
    assert!(!ended.stderr.lines().any(speaks), "{}", ended.stderr);
}
