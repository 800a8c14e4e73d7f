//! `wassette secret`: setting, listing and deleting; no value is ever shown.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::support::cli::{Cli, Ended};

/// Runs a command with this standard input.
fn piped(cli: &Cli, args: &[&str], stdin: &str) -> Ended {
    let mut child = cli
        .command()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may end without reading.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap().into()
}

fn stored(cli: &Cli) -> serde_json::Value {
    let list = ["secret", "list", "weather", "--show-values", "--yes"];
    cli.json(list)["secrets"].clone()
}

#[test]
fn values_come_from_standard_input() {
    let cli = Cli::new();
    let set = ["secret", "set", "weather", "-vv", "API_KEY"];
    let ended = piped(&cli, &set, "hunter22\n");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stdout, "Set `API_KEY` of `weather`\n");
    assert!(ended.stderr.contains("no component `weather`"));
    assert!(!ended.stderr.contains("hunter22"), "{}", ended.stderr);

    // Line breaks within a value stay; one newline at its end is removed.
    assert_eq!(piped(&cli, &set, "line 1\nline 2\n\n").code, 0);
    assert_eq!(
        stored(&cli),
        json!([{ "key": "API_KEY", "value": "line 1\nline 2\n" }])
    );

    // Windows programs put a byte order mark before a text, and end lines with CRLF.
    assert_eq!(piped(&cli, &set, "\u{feff}hunter22\r\n").code, 0);
    assert_eq!(
        stored(&cli),
        json!([{ "key": "API_KEY", "value": "hunter22" }])
    );
}

#[test]
fn several_values_are_lines() {
    let cli = Cli::new();
    let set = ["secret", "set", "weather", "A", "B=given", "C"];
    let ended = piped(&cli, &set, "for A\nfor C\n");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("history"), "{}", ended.stderr);
    assert_eq!(
        stored(&cli),
        json!([
            { "key": "A", "value": "for A" },
            { "key": "B", "value": "given" },
            { "key": "C", "value": "for C" },
        ])
    );
    let ended = piped(&cli, &set, "only one\n");
    assert_eq!(ended.code, 2);
    assert!(!ended.stderr.contains("only one"), "{}", ended.stderr);
}

#[test]
fn bad_input_changes_and_shows_nothing() {
    let cli = Cli::new();
    let cases = [
        (&["secret", "set", "weather", "A B=hunter22"][..], ""),
        (&["secret", "set", "weather", "A=hunter22", "1B"], ""),
        (&["secret", "set", "Weather!", "A=hunter22"], ""),
        (&["secret", "set", "weather", "A"], ""),
        (&["secret", "set", "weather", "A="], ""),
        (&["secret", "set", "weather", "A"], "hunter22\0"),
    ];
    for (args, stdin) in cases {
        let ended = piped(&cli, args, stdin);
        assert_eq!(ended.code, 2, "{args:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hunter22"), "{}", ended.stderr);
    }
    let large = "x".repeat(70_000);
    let ended = piped(&cli, &["secret", "set", "weather", "A"], &large);
    assert_eq!(ended.code, 2);
    assert_eq!(stored(&cli), json!([]));
}

#[test]
fn values_are_shown_only_when_asked_for_twice() {
    let cli = Cli::new();
    cli.json(["secret", "set", "weather", "API_KEY=hunter22"]);
    let listed = cli.run(["secret", "list", "weather"]);
    assert_eq!(listed.stdout, "API_KEY\n");
    assert_eq!(
        cli.json(["secret", "list", "weather"]),
        json!({ "component_id": "weather", "secrets": [{ "key": "API_KEY" }] })
    );
    let piped = piped(&cli, &["secret", "list", "weather", "--show-values"], "y\n");
    assert_eq!(piped.code, 2);
    assert_eq!(piped.stdout, "");
    assert!(piped.stderr.contains("`--yes`"), "{}", piped.stderr);
    assert_eq!(stored(&cli)[0]["value"], "hunter22");
    assert_eq!(
        cli.run(["secret", "list", "other"]).stdout,
        "`other` has no secrets\n"
    );
}

#[test]
fn secrets_are_deleted() {
    let cli = Cli::new();
    cli.json(["secret", "set", "weather", "A=1111", "B=2222"]);
    let missing = cli.run(["secret", "delete", "weather", "A", "C"]);
    assert_eq!(missing.code, 3);
    assert!(missing.stderr.contains("`C`"), "{}", missing.stderr);
    let deleted = cli.run(["secret", "delete", "weather", "A"]);
    assert_eq!(deleted.stdout, "Deleted `A` of `weather`\n");
    assert_eq!(stored(&cli)[0]["key"], "B");
}

#[test]
fn processes_lose_no_update_of_each_other() {
    let cli = Cli::new();
    let started: Vec<_> = (0..8)
        .map(|n| {
            let secret = format!("K{n}=value");
            let mut command = cli.command();
            command.args(["secret", "set", "weather", &secret]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    for mut child in started {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(stored(&cli).as_array().unwrap().len(), 8);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_could_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let cli = Cli::new();
    cli.json(["secret", "set", "weather", "A=hunter22"]);
    let file = cli.root().join("secrets/weather.json");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let refused = cli.run(["secret", "list", "weather"]);
    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains("chmod go="), "{}", refused.stderr);
}
