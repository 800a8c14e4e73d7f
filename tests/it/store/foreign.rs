//! Files that another user wrote to a root, or could have written, are not served.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::cli::Cli;
use crate::support::mcp::CALC;
use crate::support::owner::{give_away, take_back};

struct Root {
    cli: Cli,
}

impl Root {
    /// Creates a root with a component that is granted a host.
    fn new() -> Self {
        let cli = Cli::new();
        cli.load(&cli.file("calc.wat", CALC));
        cli.json(["permission", "grant", "network", "calc", "a.example.com"]);
        Root { cli }
    }

    fn directory(&self) -> PathBuf {
        self.cli.root().join("components/calc")
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.directory().join(format!("calc.{suffix}"))
    }

    fn set_mode(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn assert_served(&self) {
        let sum = self.call();
        assert_eq!((sum.code, sum.stdout.trim()), (0, "3"), "{}", sum.stderr);
    }

    fn assert_refused(&self, why: &str) {
        let listed = self.cli.json(["list"]);
        let component = &listed["components"][0];
        assert_eq!(component["status"], "damaged", "{why}");
        let reason = component["reason"].as_str().unwrap();
        assert!(
            reason.contains("belongs to another user"),
            "{why}: {reason}"
        );
        assert_eq!(self.call().code, 3, "{why}");
        assert!(!self.cli.root().join("quarantine").exists(), "{why}");
    }

    fn call(&self) -> crate::support::cli::Ended {
        self.cli
            .run(["call", "add", "--args", r#"{"a": 1, "b": 2}"#])
    }
}

#[test]
fn a_component_of_another_user_is_not_served() {
    let root = Root::new();
    root.assert_served();
    let files = ["wasm", "metadata.json", "metadata.copy.json"].map(|suffix| root.path(suffix));
    for path in files.iter().chain([&root.directory()]) {
        give_away(path);
        root.assert_refused(&path.display().to_string());
        take_back(path);
        root.assert_served();
    }
}

#[test]
fn a_component_that_others_may_change_is_not_served() {
    let root = Root::new();
    let directory = root.directory();
    for mode in [0o770, 0o702, 0o1777] {
        root.set_mode(&directory, mode);
        root.assert_refused(&format!("{mode:o}"));
    }
    root.set_mode(&directory, 0o755);
    root.assert_served();
    for mode in [0o664, 0o646] {
        root.set_mode(&root.path("wasm"), mode);
        root.assert_refused(&format!("{mode:o}"));
        // Other users cannot reach the file.
        root.set_mode(&directory, 0o700);
        root.assert_served();
        root.set_mode(&directory, 0o755);
    }
}

#[test]
fn a_policy_of_another_user_grants_nothing() {
    let root = Root::new();
    let policy = root.path("policy.yaml");
    let assert_no_grant = |what: &str| {
        let told = root.cli.failure(["policy", "get", "calc"]);
        assert!(told.starts_with("exit code 5\n"), "{what}: {told}");
        assert!(told.contains("belongs to another user"), "{what}: {told}");
        let verified = root.cli.run(["cache", "verify"]);
        assert_eq!(verified.code, 5, "{what}");
    };
    root.set_mode(&policy, 0o666);
    give_away(&policy);
    assert_no_grant("another's");
    take_back(&policy);
    assert!(root.cli.run(["policy", "get", "calc"]).code == 0);
    root.set_mode(&root.directory(), 0o755);
    assert_no_grant("open to all");

    // Another version of the component does not get it either.
    root.cli.load(
        &root
            .cli
            .file("calc.wat", CALC.replace("i32.add", "i32.mul")),
    );
    let granted = root.cli.json(["policy", "get", "calc"]);
    assert_eq!(granted["grants"], serde_json::json!([]));
}
