//! `cache clear` and `cache prune`: which files they remove, and which they keep.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::mcp::CALC;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A root with one component loaded from a file.
fn root() -> Cli {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    cli
}

fn code(cli: &Cli) -> PathBuf {
    cli.root().join("components/calc/calc.cwasm")
}

fn add(cli: &Cli) {
    cli.json(["call", "add", "--args", r#"{"a": 1, "b": 2}"#]);
}

fn prune(cli: &Cli, bounds: &[&str]) -> Value {
    cli.json([&["cache", "prune"], bounds].concat())
}

fn set_time(path: &Path, time: SystemTime) {
    File::open(path).unwrap().set_modified(time).unwrap();
}

/// Sets the times of the component's load and last call back by `age`.
fn age(cli: &Cli, age: Duration) {
    let directory = cli.root().join("components/calc");
    let then = SystemTime::now() - age;
    let used = directory.join("calc.used");
    if used.exists() {
        set_time(&used, then);
    }
    set_time(&directory, then);
}

/// Other bytes for the same tool.
fn other() -> String {
    CALC.replace("i32.add", "i32.sub")
}

#[test]
fn the_examples_of_the_help_run() {
    let cli = root();
    let help = cli.run(["cache", "--help"]).stdout;
    let examples: Vec<&str> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix("wassette "))
        .collect();
    assert!(examples.len() >= 4, "{help}");
    for example in examples {
        let example = example.replace("time", "calc");
        let ended = cli.run(example.split_whitespace());
        assert_eq!(ended.code, 0, "{example}: {}", ended.stderr);
    }
}

#[test]
fn clearing_takes_what_can_be_made_again_and_nothing_else() {
    let cli = root();
    let leftover = cli.root().join("downloads/temp-dead");
    let part = cli.root().join("downloads/parts/0123");
    for (directory, file) in [
        (&*leftover, leftover.join("layer")),
        (part.parent().unwrap(), part.clone()),
    ] {
        fs::create_dir_all(directory).unwrap();
        fs::write(file, [0; 1000]).unwrap();
    }
    // An unfinished file, which is swept at the same time but is not a download.
    let unfinished = cli.root().join("components/calc/.tmpabc");
    fs::write(&unfinished, [0; 10]).unwrap();
    let compiled = fs::metadata(code(&cli)).unwrap().len();
    let cleared = cli.json(["cache", "clear"]);
    assert_eq!(
        cleared,
        json!({
            "compiled": ["calc"],
            "previous": [],
            "unused": 0,
            "downloads": 2,
            "freed_bytes": compiled + 2000,
        })
    );
    assert!(!code(&cli).exists());
    assert!(code(&cli).with_extension("wasm").exists());
    assert!(!leftover.exists() && !part.exists() && !unfinished.exists());
    add(&cli);
}

#[test]
fn clearing_downloads_leaves_code() {
    let cli = root();
    let part = cli.root().join("downloads/parts/0123");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, [0; 1000]).unwrap();
    let cleared = cli.json(["cache", "clear", "--downloads"]);
    assert_eq!(
        (&cleared["downloads"], &cleared["freed_bytes"]),
        (&json!(1), &json!(1000))
    );
    assert_eq!(cli.json(["cache", "list"])["downloads_bytes"], 0);
    assert!(code(&cli).exists());
}

#[test]
fn clearing_one_component_leaves_the_code_of_others() {
    let cli = root();
    cli.load(&cli.file("gone.wat", other()));
    cli.run(["unload", "gone"]);
    let unused = || {
        cli.json(["cache", "list"])["unused_bytes"]
            .as_u64()
            .unwrap()
    };
    assert!(unused() > 0);
    assert_eq!(
        cli.json(["cache", "clear", "calc"])["compiled"],
        json!(["calc"])
    );
    assert!(unused() > 0);
    let cleared = cli.json(["cache", "clear", "--compiled"]);
    assert_eq!(cleared["unused"], 1);
    assert_eq!(unused(), 0);
}

#[test]
fn pruning_keeps_what_fits() {
    let cli = root();
    let compiled = fs::metadata(code(&cli)).unwrap().len();
    let kept = prune(&cli, &["--max-size", "1Gi"]);
    assert_eq!(kept["compiled"], json!([]));
    let gone = prune(&cli, &["--max-size", &(compiled - 1).to_string()]);
    assert_eq!(gone["compiled"], json!(["calc"]));
    add(&cli);
    assert_eq!(
        prune(&cli, &["--max-size", "0"])["compiled"],
        json!(["calc"])
    );
}

#[test]
fn pruning_goes_by_the_last_call_or_the_load() {
    let cli = root();
    // Never called, but just loaded.
    assert_eq!(prune(&cli, &["--unused-for", "1h"])["compiled"], json!([]));
    age(&cli, 3 * DAY);
    assert_eq!(prune(&cli, &["--unused-for", "4d"])["compiled"], json!([]));
    assert_eq!(
        prune(&cli, &["--unused-for", "2d"])["compiled"],
        json!(["calc"])
    );
    // Just called, although it was loaded long ago.
    add(&cli);
    set_time(
        &cli.root().join("components/calc"),
        SystemTime::now() - 90 * DAY,
    );
    assert_eq!(prune(&cli, &["--unused-for", "1h"])["compiled"], json!([]));
    age(&cli, 40 * DAY);
    assert_eq!(
        prune(&cli, &["--unused-for", "4w"])["compiled"],
        json!(["calc"])
    );
}

#[test]
fn what_was_called_in_the_future_was_not_unused_for_long() {
    let cli = root();
    add(&cli);
    age(&cli, 3 * DAY);
    let used = cli.root().join("components/calc/calc.used");
    set_time(&used, SystemTime::now() + 30 * DAY);
    assert_eq!(prune(&cli, &["--unused-for", "1h"])["compiled"], json!([]));
}

#[test]
fn pruning_holds_unused_code_to_the_same_bounds() {
    let cli = root();
    cli.run(["unload", "calc"]);
    let unused = || {
        cli.json(["cache", "list"])["unused_bytes"]
            .as_u64()
            .unwrap()
    };
    let bytes = unused();
    assert!(bytes > 0);
    assert_eq!(
        prune(&cli, &["--max-size", "1Gi", "--unused-for", "1h"])["unused"],
        0
    );
    assert_eq!(unused(), bytes);
    let pruned = prune(&cli, &["--max-size", &(bytes - 1).to_string()]);
    assert_eq!(
        (&pruned["unused"], &pruned["freed_bytes"]),
        (&json!(1), &json!(bytes))
    );
}

#[test]
fn the_last_call_is_remembered_across_versions() {
    let cli = Cli::new();
    let file = cli.file("calc.wat", CALC);
    cli.load(&file);
    add(&cli);
    age(&cli, 3 * DAY);
    let used = || cli.json(["list"])["components"][0]["last_used"].clone();
    let called = used();
    assert!(called.is_string());
    fs::write(&file, other()).unwrap();
    cli.json(["update", "calc"]);
    assert_eq!(used(), called);
    for _ in 0..2 {
        cli.json(["rollback", "calc"]);
        assert_eq!(used(), called);
    }
    add(&cli);
    let later = used();
    assert_ne!(later, called);
    cli.json(["rollback", "calc"]);
    assert_eq!(used(), later);
    assert_eq!(cli.run(["cache", "verify"]).code, 0);
}
