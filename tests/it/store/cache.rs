//! `wassette cache`: lists, verifies, repairs and clears the files on disk.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::mcp::CALC;

/// A root with one component loaded from a file.
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

    /// Flips one bit and restores the file's time.
    fn flip(&self, suffix: &str, at: usize) {
        let path = self.path(suffix);
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    }

    /// Returns the faults that a verification reports, and its exit code.
    fn verify(&self, args: &[&str]) -> (i32, Vec<Value>) {
        let all = ["cache", "verify", "-o", "json"].iter().chain(args);
        let ended = self.cli.run(all);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let places = [&report["components"][0]["faults"], &report["secrets"]];
        let faults = places.into_iter().filter_map(Value::as_array).flatten();
        (ended.code, faults.cloned().collect())
    }

    /// Checks that a verification finds exactly this fault.
    #[track_caller]
    fn has(&self, file: &str, kind: &str) {
        let (code, faults) = self.verify(&[]);
        assert_eq!((code, faults.len()), (5, 1), "{faults:?}");
        assert_eq!(
            (&faults[0]["file"], &faults[0]["kind"]),
            (&json!(file), &json!(kind))
        );
    }

    /// Checks that a repair removes the one fault, and whether the component is sound afterwards.
    #[track_caller]
    fn repairs(&self) -> bool {
        let (code, faults) = self.verify(&["--repair"]);
        let repaired = faults[0]["repaired"] == true;
        assert_eq!(code, if repaired { 0 } else { 5 }, "{faults:?}");
        assert_eq!(self.verify(&[]).0, code);
        repaired
    }

    /// Loads another version, so that this one becomes the previous version.
    fn replace(&self) {
        self.cli.load(
            &self
                .cli
                .file("calc.wat", CALC.replace("i32.add", "i32.sub")),
        );
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
        &["cache", "clear", "--catalogs", "--downloads"],
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

#[test]
fn unfinished_files_are_no_faults_and_go_with_a_repair() {
    let root = Root::new();
    let unfinished = root.path("wasm").with_file_name(".tmpAbC");
    fs::write(&unfinished, "half").unwrap();
    assert_eq!(root.verify(&[]), (0, Vec::new()));
    assert!(unfinished.exists());
    assert_eq!(root.verify(&["--repair"]), (0, Vec::new()));
    assert!(!unfinished.exists());
}

#[test]
fn what_a_newer_version_wrote_is_left_alone() {
    let root = Root::new();
    for copy in ["metadata.json", "metadata.copy.json"] {
        let newer = "{\"format\": 3, \"all\": \"else\"}";
        fs::write(root.path(copy), newer).unwrap();
    }
    fs::write(root.path("novelty"), "").unwrap();
    root.has("calc.metadata.json", "newer");
    assert!(!root.repairs());
    assert!(root.path("wasm").exists());
    let told = root.cli.run(["cache", "verify"]).stdout;
    assert!(told.contains("a newer version of this program"), "{told}");
}

#[test]
fn secrets_are_checked_and_never_touched() {
    let root = Root::new();
    let secrets = root.cli.root().join("secrets");
    assert_eq!(
        root.cli.run(["secret", "set", "calc", "KEY=hunter2"]).code,
        0
    );
    assert_eq!(
        root.cli.run(["secret", "set", "other", "KEY=hunter2"]).code,
        0
    );
    assert_eq!(root.verify(&[]), (0, Vec::new()));
    for (name, checked) in [("calc", 5), ("other", 0)] {
        let file = secrets.join(format!("{name}.json"));
        let sound = fs::read(&file).unwrap();
        let damaged = String::from_utf8(sound.clone()).unwrap().replace('}', "");
        fs::write(&file, &damaged).unwrap();
        root.has(&format!("secrets/{name}.json"), "unreadable");
        assert!(!root.repairs());
        assert_eq!(fs::read_to_string(&file).unwrap(), damaged);
        let ended = root.cli.run(["cache", "verify"]);
        assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
        assert_eq!(root.cli.run(["cache", "verify", "calc"]).code, checked);
        fs::write(&file, sound).unwrap();
    }
    let file = secrets.join("calc.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    root.has("secrets/calc.json", "exposed");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(secrets.join("What?"), "").unwrap();
    root.has("secrets/What?", "foreign");
}

#[test]
fn policies_and_their_records_are_checked_and_never_lost() {
    let root = Root::new();
    root.cli
        .json(["permission", "grant", "network", "calc", "a.example.com"]);
    assert_eq!(root.verify(&[]), (0, Vec::new()));
    let policy = fs::read(root.path("policy.yaml")).unwrap();
    fs::write(root.path("policy.yaml"), "\0").unwrap();
    root.has("calc.policy.yaml", "unreadable");
    assert!(!root.repairs());
    assert_eq!(fs::read(root.path("policy.yaml")).unwrap(), b"\0");
    fs::write(root.path("policy.yaml"), &policy).unwrap();

    let record = fs::read_to_string(root.path("policy.meta.json")).unwrap();
    let newer = record.replace("\"format\": 1", "\"format\": 2");
    fs::write(root.path("policy.meta.json"), &newer).unwrap();
    root.has("calc.policy.meta.json", "unreadable");
    assert!(!root.repairs());
    fs::write(root.path("policy.meta.json"), "{").unwrap();
    root.has("calc.policy.meta.json", "unreadable");
    assert!(root.repairs());
    // The grants stay in force, and the record can still be examined.
    assert_eq!(fs::read(root.path("policy.yaml")).unwrap(), policy);
    let aside = fs::read_dir(root.cli.root().join("quarantine")).unwrap();
    let aside: Vec<PathBuf> = aside.flatten().map(|entry| entry.path()).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read(&aside[0]).unwrap(), b"{");
}

#[test]
fn the_version_before_is_checked_and_moved_aside_when_it_was_changed() {
    let root = Root::new();
    root.replace();
    assert_eq!(root.verify(&[]), (0, Vec::new()));
    let previous = |suffix: &str| root.cli.root().join(format!("previous/calc/calc.{suffix}"));
    fs::write(previous("metadata.copy.json"), "{").unwrap();
    root.has("previous/calc.metadata.copy.json", "unreadable");
    assert!(root.repairs());
    let bytes = fs::read(previous("wasm")).unwrap();
    fs::write(previous("wasm"), &bytes[1..]).unwrap();
    root.has("previous/calc.wasm", "changed");
    assert!(root.repairs());
    assert!(!previous("wasm").exists());
    assert_eq!(root.cli.run(["rollback", "calc"]).code, 3);
    // The installed version is not affected.
    assert_eq!(root.add(), 0);
    assert_eq!(root.cli.json(["list"])["components"][0]["id"], "calc");
}

#[cfg(target_os = "linux")]
#[test]
fn a_verification_draws_a_bar_on_a_terminal_and_nowhere_else() {
    let root = Root::new();
    let plain = root.cli.run(["cache", "verify"]);
    assert_eq!(plain.stderr, "");
    let line = format!("{} cache verify", env!("CARGO_BIN_EXE_wassette"));
    let mut terminal = std::process::Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    for (name, value) in root.cli.command().get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    let shown = terminal
        .env("TERM", "xterm")
        .output()
        .expect("`script` of util-linux");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("all as installed"), "{shown:?}");
    // For example `░░░░░ 0 B/12 KiB`.
    assert!(shown.contains("0 B/"), "{shown:?}");
}
