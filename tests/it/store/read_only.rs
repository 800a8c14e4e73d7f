//! A root on a read-only filesystem lists, verifies and calls components.
#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

use crate::support::cli::{Cli, Ended};
use crate::support::mcp::CALC;

/// Mounts the root as a read-only filesystem, for this command alone.
const READ_ONLY: &str = r#"
mount --bind "$WASSETTE_ROOT" "$WASSETTE_ROOT" &&
mount -o remount,bind,ro "$WASSETTE_ROOT" &&
! touch "$WASSETTE_ROOT/file" 2>/dev/null && exec "$0" "$@""#;

fn read_only(cli: &Cli, args: &[&str]) -> Ended {
    let mut command = Command::new("unshare");
    command
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            READ_ONLY,
        ])
        .arg(env!("CARGO_BIN_EXE_wassette"))
        .args(args)
        .env("WASSETTE_ROOT", cli.root());
    command.output().expect("`unshare` of util-linux").into()
}

#[test]
fn a_read_only_root_lists_checks_and_answers() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    cli.json(["permission", "grant", "network", "calc", "a.example.com"]);
    let sum = ["call", "add", "--args", r#"{"a": 1, "b": 2}"#];
    // Even if its stamp requires hashing each time, or it is not compiled.
    let wasm = cli.root().join("components/calc/calc.wasm");
    let touch = || {
        let file = std::fs::File::options().write(true).open(&wasm).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    };
    let forget = || drop(cli.json(["cache", "clear"]));
    for prepare in [&(|| {}) as &dyn Fn(), &touch, &forget] {
        prepare();
        let answer = read_only(&cli, &sum);
        assert_eq!(
            (answer.code, answer.stdout.trim()),
            (0, "3"),
            "{}",
            answer.stderr
        );
        let listed = read_only(&cli, &["list", "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(listed["components"][0]["status"], "ok");
        let granted = read_only(&cli, &["policy", "get", "calc"]);
        assert!(
            granted.stdout.contains("a.example.com"),
            "{}",
            granted.stderr
        );
    }
    let verified = read_only(&cli, &["cache", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    // Commands that must write report why they fail, and change nothing.
    for change in [
        &["unload", "calc"][..],
        &["permission", "grant", "network", "calc", "b.example.com"],
        &["secret", "set", "calc", "KEY=value"],
    ] {
        let refused = read_only(&cli, change);
        assert_ne!(refused.code, 0, "{change:?}");
        assert!(refused.stderr.contains("Read-only"), "{}", refused.stderr);
    }
    assert_eq!(cli.run(["cache", "verify"]).code, 0);
}

#[test]
fn the_doctor_warns_of_it_and_finds_nothing_broken() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    let diagnosis = read_only(&cli, &["doctor", "-o", "json"]);
    assert_eq!(diagnosis.code, 0, "{}", diagnosis.stderr);
    let diagnosis: Value = serde_json::from_str(&diagnosis.stdout).unwrap();
    let findings = diagnosis["findings"].as_array().unwrap();
    for (check, state) in [("root", "warning"), ("engine", "ok"), ("components", "ok")] {
        let found = findings.iter().find(|one| one["check"] == check).unwrap();
        assert_eq!(found["state"], state, "{found}");
    }
}
