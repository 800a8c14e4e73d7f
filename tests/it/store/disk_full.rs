//! The disk becomes full at any write: the old state stays, or the new one is complete.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::cli::{Cli, Ended};

/// Size of the small filesystem, in bytes.
const SIZE: usize = 1 << 20;
const PAGE: usize = 4096;
/// Number of files and directories that it can hold.
const FILES: usize = 200;

/// A filesystem of [`SIZE`] bytes in its own mount namespace. It exists as long as the process
/// that mounted it.
struct SmallDisk {
    keeper: Child,
    directory: PathBuf,
}

impl SmallDisk {
    fn new() -> Self {
        let mount = format!(
            "mount -t tmpfs -o size={SIZE},nr_inodes={FILES} tmpfs /mnt && echo ready && exec cat"
        );
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

    /// Fills the disk, except for `left` bytes.
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

    /// Fills the disk with files, so that not even an empty one can be added.
    fn fill_with_files(&self) {
        let files = self.directory.join("files");
        fs::create_dir_all(&files).unwrap();
        let full = (0..FILES).find_map(|nth| fs::write(files.join(format!("{nth}")), "").err());
        let kind = full.map(|error| error.kind());
        assert_eq!(kind, Some(std::io::ErrorKind::StorageFull));
    }

    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    fn run(&self, cli: &Cli, args: &[&str]) -> Ended {
        let mut command = cli.command();
        command.env("WASSETTE_ROOT", self.root());
        command.args(args).output().unwrap().into()
    }

    fn json(&self, cli: &Cli, args: &[&str]) -> Value {
        let ended = self.run(cli, &[args, &["-o", "json"]].concat());
        assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// A component that returns `version`.
fn component(version: u32) -> String {
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
    let run = |args: &[&str]| disk.run(&cli, args);
    let file = cli.file("tool.wat", component(0));
    let uri = file.to_str().unwrap();
    assert_eq!(run(&["load", "--uri", uri]).code, 0);
    assert_eq!(run(&["secret", "set", "tool", "KEY=0"]).code, 0);

    let (mut failed, mut succeeded, mut current, mut secret) = (0, 0, 0, 0);
    for (version, pages) in (0..60).step_by(2).enumerate() {
        let version = version as u32 + 1;
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
        // Even without any free space it lists, verifies and calls components.
        let verified = run(&["cache", "verify", "-o", "json"]);
        assert_eq!(verified.code, 0, "{pages} pages: {}", verified.stdout);
        let answer = disk.json(&cli, &["call", "version"]);
        assert_eq!(answer["result"], current, "{pages} pages");
        if kept.code == 0 {
            secret = version;
        }
        let secrets = fs::read(disk.root().join("secrets/tool.json")).unwrap();
        let secrets: Value = serde_json::from_slice(&secrets).unwrap();
        assert_eq!(secrets["secrets"], json!({"KEY": secret.to_string()}));
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
    // The next load removes what the failed ones left behind.
    fs::write(&file, component(1000)).unwrap();
    let loaded = run(&["load", "--uri", uri]);
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    let left = fs::read_dir(disk.root().join("downloads")).unwrap();
    assert_eq!(left.count(), 0);
}

/// Installs a component in its second version, with a previous version, a grant and a secret.
fn install(disk: &SmallDisk, cli: &Cli) -> PathBuf {
    let file = cli.file("tool.wat", "");
    for version in [1, 2] {
        fs::write(&file, component(version)).unwrap();
        disk.json(cli, &["load", "--uri", file.to_str().unwrap()]);
    }
    disk.json(
        cli,
        &["permission", "grant", "network", "tool", "a.example"],
    );
    assert_eq!(disk.run(cli, &["secret", "set", "tool", "KEY=0"]).code, 0);
    file
}

#[test]
fn a_full_disk_at_any_write_of_any_change_loses_nothing() {
    let disk = SmallDisk::new();
    let cli = Cli::new();
    let file = install(&disk, &cli);
    fs::write(&file, component(3)).unwrap();
    let template = cli.root().with_file_name("template");
    copy(&disk.root(), &template);
    let changes: [(&[&str], &[u32], &[&str]); 4] = [
        (&["update", "tool"], &[2, 3], &["a.example"]),
        (&["rollback", "tool"], &[2, 1], &["a.example"]),
        (
            &["permission", "grant", "network", "tool", "b.example"],
            &[2],
            &["a.example", "b.example"],
        ),
        (&["cache", "verify", "--repair"], &[2], &["a.example"]),
    ];
    for (change, versions, hosts) in changes {
        let mut failed = 0;
        for pages in 0..24 {
            fs::remove_dir_all(disk.root()).unwrap();
            copy(&template, &disk.root());
            if change[0] == "cache" {
                fs::write(disk.root().join("components/tool/tool.metadata.json"), "{").unwrap();
            }
            disk.fill(pages * PAGE);
            let ended = disk.run(&cli, change);
            let what = format!("{change:?} with {pages} pages: {}", ended.stderr);
            failed += u32::from(ended.code != 0);
            let answer = disk.json(&cli, &["call", "version"])["result"].clone();
            let expected = match ended.code {
                0 => versions.last(),
                _ => versions.first(),
            };
            assert_eq!(answer, json!(expected), "{what}");
            let policy = disk.json(&cli, &["policy", "get", "tool"])["policy"].to_string();
            for host in ["a.example", "b.example"] {
                let granted = host == hosts[0] || (ended.code == 0 && hosts.contains(&host));
                assert_eq!(policy.contains(host), granted, "{what}: {policy}");
            }
            disk.empty();
            let verified = disk.run(&cli, &["cache", "verify", "--repair"]);
            assert_eq!(verified.code, 0, "{what}: {}", verified.stdout);
        }
        assert!(
            (1..24).contains(&failed),
            "{change:?} failed {failed} times"
        );
    }
}

#[test]
fn a_full_disk_does_not_keep_room_from_being_made() {
    let disk = SmallDisk::new();
    let cli = Cli::new();
    install(&disk, &cli);
    disk.fill(0);
    disk.fill_with_files();
    let pruned = disk.json(&cli, &["cache", "prune", "--max-size", "1"]);
    assert_eq!(pruned["previous"], json!(["tool"]));
    // Fill the freed space again.
    disk.fill(0);
    disk.fill_with_files();
    disk.json(&cli, &["unload", "tool"]);
    assert_eq!(disk.json(&cli, &["list"])["components"], json!([]));
    let left = fs::read_dir(disk.root().join("downloads")).unwrap();
    assert_eq!(left.count(), 0);
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

#[test]
fn an_apply_on_a_full_disk_changes_all_components_or_none() {
    let disk = SmallDisk::new();
    let cli = Cli::new();
    let apply = |version: u32| {
        for name in ["a", "b"] {
            let named = component(version).replace("\"version\"", &format!("\"{name}\""));
            fs::write(cli.file(&format!("{name}.wat"), ""), named).unwrap();
        }
        disk.run(&cli, &["apply", "-f", "fleet.yaml", "--lock", "other.lock"])
    };
    let answers = || ["a", "b"].map(|tool| disk.json(&cli, &["call", tool])["result"].clone());
    cli.file(
        "fleet.yaml",
        "components: [{uri: ./a.wat}, {uri: ./b.wat}]\n",
    );
    let first = apply(1);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let (mut failed, mut succeeded, mut current) = (0, 0, 1);
    for (nth, pages) in (0..40).step_by(2).enumerate() {
        let version = nth as u32 + 2;
        // Otherwise it would have to match the old lock.
        let _ = fs::remove_file(cli.file_path("other.lock"));
        disk.fill(pages * PAGE);
        let ended = apply(version);
        match ended.code {
            0 => {
                succeeded += 1;
                current = version;
            }
            _ => {
                failed += 1;
                assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);
            }
        }
        disk.empty();
        assert_eq!(answers(), [json!(current), json!(current)]);
        // Code of removed versions would take the space of the next one.
        disk.json(&cli, &["cache", "clear"]);
    }
    assert!(
        failed > 3 && succeeded > 3,
        "{failed} failed, {succeeded} did not"
    );
}
