//! Kills an apply before each of its disk operations in turn: all components are unchanged, or all
//! match the manifest.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::steps::{CALLS, Disk, MOST, Step, copy, traced};
use crate::support::cli::Cli;

fn component(version: u32) -> String {
    format!(
        r#"(component
            (core module $m (func (export "version") (result i32) (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "version") (result u32) (canon lift (core func $i "version"))))"#
    )
}

const APPLY: [&str; 6] = ["apply", "-f", "fleet.yaml", "--prune", "--lock", "new.lock"];

/// Replaces `a`, grants `b` something, adds `c` and removes `d`.
const MANIFEST: &str = "components:
- {uri: ./a.wat, permissions: {}}
- {uri: ./b.wat, permissions: {network: {allow: [{host: b.example.com}]}}}
- {uri: ./c.wat, permissions: {}}
";

fn state(cli: &Cli) -> String {
    let ended = cli.run(["export"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout
}

/// A root in which the manifest has a change of every kind to make.
fn root() -> Cli {
    let cli = Cli::new();
    for name in ["a", "b", "c", "d"] {
        cli.file(&format!("{name}.wat"), component(1));
    }
    let all = ["a", "b", "d"].map(|name| format!("- {{uri: ./{name}.wat, permissions: {{}}}}\n"));
    cli.file("fleet.yaml", format!("components:\n{}", all.concat()));
    cli.json(["apply", "-f", "fleet.yaml", "--lock", "old.lock"]);
    cli.file("a.wat", component(2));
    cli.file("fleet.yaml", MANIFEST);
    cli
}

/// Runs the apply and kills it before this step; returns false if it ended before.
fn cut(cli: &Cli, (call, nth): Step, disk: Disk) -> bool {
    let mut options = vec![format!("inject={call}:signal=KILL:when={nth}")];
    if disk == Disk::Renames {
        options.push("inject=renameat2:error=EINVAL".into());
    }
    let mut command = traced(cli, &APPLY, &options);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let ended = command.output().expect("`strace`");
    if ended.status.signal() == Some(9) || ended.status.code() == Some(137) {
        return true;
    }
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{told}");
    false
}

#[test]
fn killed_before_any_step_of_an_apply_all_is_old_or_all_is_new() {
    let cli = root();
    let template = cli.root().with_file_name("template");
    copy(&cli.root(), &template);
    let old = state(&cli);
    cli.json(APPLY);
    let new = state(&cli);
    assert_ne!(old, new);
    let mut seen = [0, 0];
    for disk in [Disk::Exchanges, Disk::Renames] {
        for call in CALLS {
            // There the call must fail instead.
            if (call, disk) == ("renameat2", Disk::Renames) {
                continue;
            }
            for step in (1..MOST).map(|nth| (call, nth)) {
                fs::remove_dir_all(cli.root()).unwrap();
                copy(&template, &cli.root());
                let _ = fs::remove_file(cli.file_path("new.lock"));
                let killed = cut(&cli, step, disk);
                let now = state(&cli);
                let what = format!("on {disk:?}, killed before {step:?}: {now}");
                assert!(now == old || now == new, "{what}");
                seen[usize::from(now == new)] += usize::from(killed);
                let verified = cli.run(["cache", "verify", "-o", "json"]);
                assert_eq!(verified.code, 0, "{what}: {}", verified.stdout);
                if !killed {
                    assert_eq!(now, new, "{what}");
                    break;
                }
                // Its leftovers are removed, and the next apply does the rest.
                cli.json(APPLY);
                assert_eq!(state(&cli), new, "{what}");
                let leftovers = cli.leftovers();
                assert!(leftovers.is_empty(), "{what}: {leftovers:?}");
                assert!(!cli.root().join("change.json").exists(), "{what}");
            }
        }
    }
    assert!(seen.iter().all(|kills| *kills > 3), "{seen:?}");
}
