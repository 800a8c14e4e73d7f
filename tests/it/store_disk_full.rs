//! The disk is full at any write: the old state stays, or the new one is there.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::cli::{Cli, Ended};

/// Bytes of the small filesystem.
const SIZE: usize = 1 << 20;
const PAGE: usize = 4096;

/// A filesystem of [`SIZE`] bytes, which lives as long as the process that
/// mounted it, in a namespace of its own.
struct SmallDisk {
    keeper: Child,
    directory: PathBuf,
}

impl SmallDisk {
    fn new() -> Self {
        let mount = format!("mount -t tmpfs -o size={SIZE} tmpfs /mnt && echo ready && exec cat");
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
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
        let directory = PathBuf::from(format!("/proc/{}/root/mnt", keeper.id()));
        SmallDisk { keeper, directory }
    }

    /// Takes all room but `left` bytes.
    fn fill(&self, left: usize) {
        let ballast = self.directory.join("ballast");
        let _ = fs::remove_file(&ballast);
        let space = rustix::fs::statvfs(&self.directory).unwrap();
        let free = (space.f_bavail * space.f_frsize) as usize;
        let taken = free.saturating_sub(left);
        fs::write(ballast, vec![1; taken / PAGE * PAGE]).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.directory.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Answers with `version`.
fn component(version: usize) -> String {
    let filler =
        "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 77)))".repeat(200);
    format!(
        r#"(component
            (core module $m {filler} (func (export "version") (result i32) (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "version") (result u32) (canon lift (core func $i "version"))))"#
    )
}

#[test]
fn a_full_disk_at_any_write_leaves_what_was_there() {
    let disk = SmallDisk::new();
    let cli = Cli::new();
    let run = |args: &[&str]| -> Ended {
        let mut command = cli.command();
        command.env("WASSETTE_ROOT", disk.directory.join("root"));
        command.args(args).output().unwrap().into()
    };
    let file = cli.file("tool.wat", component(0));
    let uri = file.to_str().unwrap();
    assert_eq!(run(&["load", "--uri", uri]).code, 0);
    assert_eq!(run(&["secret", "set", "tool", "KEY=0"]).code, 0);

    let (mut failed, mut succeeded, mut current) = (0, 0, 0);
    for (version, pages) in (0..60).step_by(2).enumerate() {
        let version = version + 1;
        fs::write(&file, component(version)).unwrap();
        disk.fill(pages * PAGE);
        let loaded = run(&["load", "--uri", uri]);
        let kept = run(&["secret", "set", "tool", &format!("KEY={version}")]);
        match loaded.code {
            0 => {
                succeeded += 1;
                current = version;
            }
            _ => {
                failed += 1;
                assert!(loaded.stderr.contains("No space left"), "{}", loaded.stderr);
            }
        }
        // Also with no room at all it lists, checks and answers.
        let verified = run(&["cache", "verify", "-o", "json"]);
        assert_eq!(verified.code, 0, "{pages} pages: {}", verified.stdout);
        let answer = run(&["call", "version"]);
        assert_eq!(answer.code, 0, "{pages} pages: {}", answer.stderr);
        let answer = answer.stdout.trim().to_owned();
        assert!(
            answer.contains(&format!("{current}")),
            "{answer} is not {current}"
        );
        let secrets = run(&["secret", "list", "tool"]).stdout;
        assert!(secrets.contains("KEY"), "{pages} pages: {secrets}");
        assert!(
            kept.code == 0 || kept.stderr.contains("No space left"),
            "{}",
            kept.stderr
        );
        disk.empty();
    }
    assert!(
        failed > 3 && succeeded > 3,
        "{failed} failed, {succeeded} did not"
    );
    // What the failures left is gone with the next load.
    fs::write(&file, component(1000)).unwrap();
    let loaded = run(&["load", "--uri", uri]);
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    let left = fs::read_dir(disk.directory.join("root/downloads")).unwrap();
    assert_eq!(left.count(), 0);
}
