//! A root that can only be read: what is installed is listed, called and well.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::cli::{Cli, Ended};
use crate::support::mcp::CALC;

/// A view of a root through which nothing can be written, in a mount namespace
/// that lives as long as the process that made it.
struct ReadOnly<'a> {
    cli: &'a Cli,
    keeper: Child,
    root: PathBuf,
}

impl<'a> ReadOnly<'a> {
    fn new(cli: &'a Cli) -> Self {
        let root = cli.root();
        let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" \
                     && echo ready && exec cat";
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount])
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`unshare` of util-linux");
        let mut line = String::new();
        let told = BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line);
        assert!(
            told.is_ok() && line == "ready\n",
            "no user namespaces here; `sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows them"
        );
        let below = root.strip_prefix("/").unwrap();
        let root = PathBuf::from(format!("/proc/{}/root", keeper.id())).join(below);
        ReadOnly { cli, keeper, root }
    }

    fn run(&self, args: &[&str]) -> Ended {
        let mut command = self.cli.command();
        command.env("WASSETTE_ROOT", &self.root).args(args);
        command.output().unwrap().into()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let ended = self.run(&[args, &["-o", "json"]].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

#[test]
fn what_is_installed_is_listed_called_and_verified() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    let add = ["call", "add", "--args", r#"{"a": 1, "b": 2}"#];
    let root = ReadOnly::new(&cli);
    assert!(fs::write(root.root.join("probe"), "").is_err());
    assert_eq!(root.json(&["list"])["components"][0]["id"], "calc");
    assert_eq!(root.json(&add), json!({"result": 3}));
    // Without valid code, too.
    cli.json(["cache", "clear"]);
    assert_eq!(root.json(&add), json!({"result": 3}));
    assert_eq!(root.run(&["cache", "verify"]).code, 0);
}

#[test]
fn the_doctor_warns_of_it_and_finds_nothing_broken() {
    let cli = Cli::new();
    cli.load(&cli.file("calc.wat", CALC));
    let root = ReadOnly::new(&cli);
    let diagnosis = root.json(&["doctor"]);
    let findings = diagnosis["findings"].as_array().unwrap();
    let state = |check: &str| {
        let found = findings.iter().find(|one| one["check"] == check);
        found.unwrap()["state"].clone()
    };
    assert_eq!(state("root"), "warning");
    assert_eq!(state("engine"), "ok");
    assert_eq!(state("components"), "ok");
}
