//! Tests which compiled code is kept, and for how long.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wassette::error::Diagnose;
use wassette::runtime::{Force, Program, Returned, Tier};

use crate::support::cli::Cli;
use crate::support::components_rt as components;
use crate::support::mcp::{CALC, Place};
use crate::support::program::{Installed, call};
#[cfg(target_os = "linux")]
use crate::support::wait::until;

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

    // `other` keeps the code that it shared with the removed component.
    cli.run(["unload", "one"]);
    three(&cli, "two_add");
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
        until("the code leaves memory", || !is_mapped()).await;
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
        // The old version or the new one answers.
        let answers = [Some(json!({"result": 7})), Some(json!({"result": 3}))];
        assert!(
            answers.contains(&called.structured_content),
            "{:?}",
            called.content
        );
    }
}

/// Baseline code stays on disk until there is optimised code, and is checked like it.
#[tokio::test(flavor = "multi_thread")]
async fn baseline_code_serves_the_next_start() {
    let installed = Installed::new(&components::large_add());
    let three = async |program: Arc<Program>| {
        let sum = call(&program, "add", json!({"a": 1, "b": 2})).await;
        sum.map(|sum| assert_eq!(sum, Returned::Ok(json!(3))))
    };
    let report = installed.program().callable().await.unwrap();
    assert_eq!((report.tier, report.cached), (Tier::Baseline, false));
    assert!(report.code_bytes > 0);
    assert!(!installed.source.cwasm.exists());
    let baseline = || {
        let files = fs::read_dir(installed.root.path().join("compiled")).unwrap();
        let mut paths = files.flatten().map(|entry| entry.path());
        paths.find(|path| path.to_string_lossy().ends_with("-baseline.cwasm"))
    };
    let path = baseline().unwrap();

    let mut options = installed.options();
    options.compiler = "/nonexistent".into();
    let without_compiler = || installed.program_with(options.clone());
    three(without_compiler()).await.unwrap();
    let again = installed.program().callable().await.unwrap();
    assert_eq!((again.tier, again.cached), (Tier::Baseline, true));

    // Code that was changed, or that other users can write to, is not used.
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    for (bytes, mode) in [(&bad, 0o600), (&good, 0o622)] {
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = three(without_compiler()).await.unwrap_err();
        assert_eq!(error.code(), "compile-failed");
    }

    installed.program().optimised(Force::No).await.unwrap();
    assert!(installed.source.cwasm.exists());
    assert_eq!(baseline(), None);
    three(without_compiler()).await.unwrap();
}

/// A load ends when the tools can be called, and the next server compiles the rest after its first
/// list of tools.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_server_makes_what_a_load_left() {
    let place = Place::new();
    let uri = place.component("add.wat", &components::large_add());
    let code = place.path("root/components/add/add.cwasm");
    let load = async |more: &[&str]| {
        let args = [&["load", "--uri", &uri], more].concat();
        let ended = place.wassette(&args).output().await.unwrap();
        assert!(ended.status.success());
    };
    load(&[]).await;
    assert!(!code.exists());
    let client = place.stdio().await;
    client.tool_names().await;
    within(async {
        while !code.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    fs::remove_file(&code).unwrap();
    load(&["--force-compile"]).await;
    assert!(code.exists());
}

/// Waits with a deadline far beyond what anything here takes: background compilers run at low
/// priority.
async fn within(event: impl Future<Output = ()>) {
    let reached = tokio::time::timeout(Duration::from_secs(600), event).await;
    reached.expect("it happens");
}
