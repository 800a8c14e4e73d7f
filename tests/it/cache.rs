//! `wassette cache`: what is on disk is seen, checked, mended and cleared.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::mcp::CALC;

/// A root with one component that was loaded from a file.
struct Root {
    cli: Cli,
}

impl Root {
    fn new() -> Self {
        let cli = Cli::new();
        let file = cli.file("calc.wat", CALC);
        cli.load(&file);
        Root { cli }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        let directory = self.cli.root().join("components/calc");
        directory.join(format!("calc.{suffix}"))
    }

    /// Flips one bit and gives the file the time it had.
    fn flip(&self, suffix: &str, at: usize) {
        let path = self.path(suffix);
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    }

    /// The faults that a verification reports, and its exit code.
    fn verify(&self, args: &[&str]) -> (i32, Vec<Value>) {
        let all = ["cache", "verify", "-o", "json"].iter().chain(args);
        let ended = self.cli.run(all);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let faults = report["components"][0]["faults"].as_array();
        (ended.code, faults.cloned().unwrap_or_default())
    }

    fn add(&self) -> i32 {
        let args = ["call", "add", "--args", r#"{"a": 1, "b": 2}"#];
        self.cli.run(args).code
    }
}

#[test]
fn what_was_installed_is_sound() {
    let root = Root::new();
    assert_eq!(root.verify(&[]), (0, Vec::new()));
    let listed = root.cli.json(["cache", "list"]);
    let calc = &listed["components"][0];
    let compiled = fs::metadata(root.path("cwasm")).unwrap().len();
    assert_eq!(calc["id"], "calc");
    assert_eq!(calc["compiled_bytes"], compiled);
    assert!(listed["total_bytes"].as_u64().unwrap() > compiled);
}

#[test]
fn changed_code_is_found_behind_a_forged_time_and_made_again() {
    let root = Root::new();
    root.flip("cwasm", 1000);
    let (code, faults) = root.verify(&[]);
    assert_eq!(code, 5);
    assert_eq!(faults[0]["file"], "calc.cwasm");
    let (code, faults) = root.verify(&["--repair"]);
    assert_eq!((code, &faults[0]["repaired"]), (0, &json!(true)));
    assert_eq!(root.verify(&[]), (0, Vec::new()));
    assert_eq!(root.add(), 0);
}

#[test]
fn a_changed_component_is_found_and_moved_aside() {
    let root = Root::new();
    let last = fs::read(root.path("wasm")).unwrap().len() - 1;
    root.flip("wasm", last);
    let (code, faults) = root.verify(&[]);
    assert_eq!(code, 5);
    assert_eq!(faults[0]["file"], "calc.wasm");
    let (code, _) = root.verify(&["--repair"]);
    assert_eq!(code, 0);
    assert_eq!(root.cli.json(["list"]), json!({"components": []}));
    let aside = fs::read_dir(root.cli.root().join("quarantine")).unwrap();
    let kept = aside.flatten().next().unwrap().path();
    assert!(kept.join("calc.wasm").is_file());
}

#[test]
fn records_that_do_not_describe_the_component_are_found_and_made_again() {
    let root = Root::new();
    let text = fs::read_to_string(root.path("metadata.json")).unwrap();
    let changes = [
        ("\"name\": \"add\"", "\"name\": \"sub\""),
        ("\"world\"", "\"worle\""),
        (
            "\"content_digest\": \"sha256:",
            "\"content_digest\": \"sha256:0",
        ),
    ];
    for (good, bad) in changes {
        fs::write(root.path("metadata.json"), text.replacen(good, bad, 1)).unwrap();
        let (code, faults) = root.verify(&[]);
        assert_eq!(code, 5, "{bad}");
        assert_eq!(faults[0]["file"], "calc.metadata.json", "{bad}");
    }
    fs::write(
        root.path("metadata.json"),
        text.replacen(changes[0].0, changes[0].1, 1),
    )
    .unwrap();
    assert_eq!(root.verify(&["--repair"]).0, 0);
    assert_eq!(root.add(), 0);
}

#[test]
fn files_that_do_not_belong_there_are_named() {
    let root = Root::new();
    fs::write(root.path("evil"), "x").unwrap();
    let (code, faults) = root.verify(&["--repair"]);
    assert_eq!((code, &faults[0]["file"]), (5, &json!("calc.evil")));
}

#[test]
fn bad_requests_are_refused() {
    let root = Root::new();
    for args in [
        &["cache", "clear", "absent"][..],
        &["cache", "verify", "absent"],
    ] {
        assert_eq!(root.cli.run(args).code, 3, "{args:?}");
    }
    for args in [
        &["cache", "prune"][..],
        &["cache", "prune", "--max-size", "big"],
        &["cache", "prune", "--unused-for", "30"],
        &["cache", "clear", "--compiled", "--downloads"],
        &["cache", "clear", "--compiled", "--catalogs"],
    ] {
        assert_eq!(root.cli.run(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_long_list_tells_how_each_component_stands() {
    let root = Root::new();
    let long = || root.cli.run(["list", "--long"]).stdout;
    let listed = || root.cli.json(["list"])["components"][0].clone();
    let digest = listed()["digests"]["component"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(listed()["compiled"], true);
    root.add();
    assert!(listed()["last_used"].is_string(), "{}", listed());
    for shown in [digest.as_str(), "yes", "digest"] {
        assert!(long().contains(shown), "{}", long());
    }
    root.cli.json(["cache", "clear"]);
    assert_eq!(listed()["compiled"], false);
    assert!(!long().contains("yes"), "{}", long());
}
