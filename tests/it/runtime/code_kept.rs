//! Where compiled code is kept, and for how long.

use std::fs;

use serde_json::json;

use crate::support::cli::Cli;
use crate::support::mcp::{CALC, Place};

#[cfg(unix)]
fn same_file(one: &std::path::Path, other: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(one).unwrap().ino() == fs::metadata(other).unwrap().ino()
}

fn three(cli: &Cli, tool: &str) {
    let answer = cli.json(["call", tool, "--args", r#"{"a": 1, "b": 2}"#]);
    assert_eq!(answer, json!({"result": 3}));
}

#[cfg(unix)]
#[test]
fn components_with_the_same_bytes_share_their_code() {
    let cli = Cli::new();
    let load = |name: &str| cli.load(&cli.file(&format!("{name}.wat"), CALC));
    let code = |name: &str| cli.root().join(format!("components/{name}/{name}.cwasm"));
    load("one");
    load("two");
    assert!(same_file(&code("one"), &code("two")));
    three(&cli, "two_add");

    // Of the one that is gone, the other keeps what both had.
    cli.run(["unload", "one"]);
    three(&cli, "add");
    cli.run(["unload", "two"]);
    let listed = cli.json(["cache", "list"]);
    assert!(listed["unused_bytes"].as_u64().unwrap() > 0);
    load("one");
    three(&cli, "add");
    assert_eq!(cli.json(["cache", "list"])["unused_bytes"], 0);

    cli.run(["unload", "one"]);
    let cleared = cli.json(["cache", "clear"]);
    assert!(cleared["freed_bytes"].as_u64().unwrap() > 0);
    assert_eq!(cli.json(["cache", "list"])["total_bytes"], 0);
}

#[test]
fn shared_code_that_was_changed_is_made_again() {
    let cli = Cli::new();
    cli.load(&cli.file("one.wat", CALC));
    for entry in fs::read_dir(cli.root().join("compiled")).unwrap().flatten() {
        let mut bytes = fs::read(entry.path()).unwrap();
        bytes[1000] ^= 1;
        fs::write(entry.path(), bytes).unwrap();
    }
    cli.load(&cli.file("two.wat", CALC));
    three(&cli, "add");
    three(&cli, "two_add");
    assert_eq!(cli.run(["cache", "verify"]).code, 0);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn code_that_nobody_calls_leaves_memory_and_comes_back() {
    let place = Place::new();
    fs::create_dir_all(place.path("root")).unwrap();
    fs::write(place.path("root/config.toml"), "[limits]\nidle = 1\n").unwrap();
    let uri = place.component("calc.wat", CALC);
    let client = place.stdio().await;
    client.load(&uri).await;
    let is_mapped = || client.process("maps").contains(".cwasm");
    for _ in 0..2 {
        let sum = client.call("add", json!({"a": 1, "b": 2})).await;
        assert_eq!(sum.structured_content, Some(json!({"result": 3})));
        for _ in 0..600 {
            if !is_mapped() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(!is_mapped(), "the code is still mapped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_right_after_a_replacement_never_fail() {
    let place = Place::new();
    let uri = place.component("calc.wat", CALC);
    let client = place.stdio().await;
    client.load(&uri).await;
    for version in [CALC.replace("i32.add", "i32.sub"), CALC.to_owned()]
        .iter()
        .cycle()
        .take(20)
    {
        place.component("calc.wat", version);
        let loaded = place.wassette(&["load", "--uri", &uri]).output().await;
        assert!(loaded.unwrap().status.success());
        let called = client.call("add", json!({"a": 5, "b": 2})).await;
        // The old version or the new.
        let answers = [Some(json!({"result": 7})), Some(json!({"result": 3}))];
        assert!(
            answers.contains(&called.structured_content),
            "{:?}",
            called.content
        );
    }
}
