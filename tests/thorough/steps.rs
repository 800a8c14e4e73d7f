//! Kills a command before each disk operation in turn, also where directories cannot be exchanged:
//! nothing is lost, and the previous version is the right one.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::cli::Cli;
use crate::support::wat::versioned;

/// The system calls of a change of directories; a test skips those that the machine does not have.
pub const CALLS: [&str; 10] = [
    "?rename",
    "?renameat",
    "renameat2",
    "?link",
    "linkat",
    "?unlink",
    "unlinkat",
    "?rmdir",
    "?mkdir",
    "fsync",
];
/// A system call, and its number among the calls of its kind in a thread.
pub type Step = (&'static str, usize);
/// More calls of a kind than any change makes.
pub const MOST: usize = 100;

/// Whether the filesystem supports exchanging two directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    Exchanges,
    /// As on some network filesystems and old kernels.
    Renames,
}

fn component(version: u32) -> String {
    versioned("version", version)
}

/// A root with a component in its second version, with the first as its previous version, a grant
/// and a secret.
struct Root {
    cli: Cli,
    file: PathBuf,
    /// By version, from one.
    digests: [String; 3],
}

impl Root {
    fn new() -> Self {
        let cli = Cli::new();
        let file = cli.file("tool.wat", "");
        // Of the third version only the code stays, so that no compiler runs later.
        let digests = [3, 1, 2].map(|version| {
            fs::write(&file, component(version)).unwrap();
            let digest = cli.load(&file)["receipt"]["content_digest"].clone();
            if version == 3 {
                cli.json(["unload", "tool"]);
            }
            digest.as_str().unwrap().to_owned()
        });
        cli.json(["permission", "grant", "network", "tool", "a.example.com"]);
        assert_eq!(cli.run(["secret", "set", "tool", "KEY=value"]).code, 0);
        fs::write(&file, component(3)).unwrap();
        let [third, first, second] = digests;
        let root = Root {
            cli,
            file,
            digests: [first, second, third],
        };
        copy(&root.cli.root(), &root.template());
        root
    }

    fn template(&self) -> PathBuf {
        self.cli.root().with_file_name("template")
    }

    fn restore(&self) {
        fs::remove_dir_all(self.cli.root()).unwrap();
        copy(&self.template(), &self.cli.root());
    }

    /// Runs a command and kills it before this step; returns false if it ended before.
    fn cut(&self, change: &[&str], (call, nth): Step, disk: Disk) -> bool {
        let mut options = vec![format!("inject={call}:signal=KILL:when={nth}")];
        if disk == Disk::Renames {
            options.push("inject=renameat2:error=EINVAL".into());
        }
        let mut command = traced(&self.cli, change, &options);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let ended = command.output().expect("`strace`");
        if ended.status.signal() == Some(9) || ended.status.code() == Some(137) {
            return true;
        }
        let told = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{change:?}: {told}");
        false
    }

    fn check(&self, change: &[&str], step: Step, disk: Disk) {
        let what = format!("{change:?} on {disk:?}, killed before {step:?}");
        let verified = self.cli.run(["cache", "verify", "-o", "json"]);
        assert_eq!(verified.code, 0, "{what}: {}", verified.stdout);
        let secrets = fs::read_to_string(self.cli.root().join("secrets/tool.json")).unwrap();
        assert!(secrets.contains(r#""KEY": "value""#), "{what}: {secrets}");
        let listed = self.cli.json(["list"])["components"].clone();
        if listed == Value::Array(Vec::new()) {
            assert_eq!(change[0], "unload", "{what}: the component is lost");
            return;
        }
        let granted = self.cli.json(["policy", "get", "tool"]).to_string();
        let other = granted.contains("b.example.com");
        assert!(granted.contains("a.example.com"), "{what}: {granted}");
        assert!(!other || change[0] == "permission", "{what}: {granted}");

        // The installed and the previous version.
        let version = |digest: &Value| {
            let at = self.digests.iter().position(|known| digest == known);
            at.expect("one of the three") + 1
        };
        let back = self.cli.json(["rollback", "tool"]);
        let versions = ["before", "now"].map(|at| version(&back[at]["component"]));
        let allowed: &[[usize; 2]] = match change[0] {
            "load" | "update" => &[[2, 1], [3, 2]],
            "rollback" => &[[2, 1], [1, 2]],
            _ => &[[2, 1]],
        };
        assert!(allowed.contains(&versions), "{what}: {versions:?}");
    }

    /// Kills the change before each of its steps in turn.
    fn cut_everywhere(&self, change: &[&str], disk: Disk) {
        let mut kills = 0;
        for call in CALLS {
            // There the call must fail instead.
            if (call, disk) == ("renameat2", Disk::Renames) {
                continue;
            }
            for step in (1..MOST).map(|nth| (call, nth)) {
                self.restore();
                let killed = self.cut(change, step, disk);
                self.check(change, step, disk);
                if !killed {
                    break;
                }
                kills += 1;
                // Its leftovers are removed.
                self.cli.load(&self.file);
                let leftovers = self.cli.leftovers();
                assert!(leftovers.is_empty(), "{change:?} {step:?}: {leftovers:?}");
            }
        }
        assert!(kills >= 5, "{change:?} was killed {kills} times only");
    }
}

/// A command whose system calls are traced or changed.
pub fn traced(cli: &Cli, args: &[&str], options: &[String]) -> Command {
    let whole = cli.command();
    let mut command = Command::new("strace");
    command.args(["-qq", "-f", "-y", "--seccomp-bpf", "-o"]);
    command.arg(cli.root().with_file_name("trace"));
    for option in options {
        command.args(["-e", option]);
    }
    command.arg(whole.get_program()).args(args);
    command.current_dir(whole.get_current_dir().unwrap());
    for (key, value) in whole.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command
}

pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

#[test]
fn killed_before_any_step_of_a_load_or_rollback_the_way_back_is_right() {
    let root = Root::new();
    for disk in [Disk::Exchanges, Disk::Renames] {
        root.cut_everywhere(&["load", "--uri", "tool.wat"], disk);
        root.cut_everywhere(&["rollback", "tool"], disk);
    }
}

#[test]
fn killed_before_any_step_of_another_change_it_is_done_or_not() {
    let root = Root::new();
    let grant = ["permission", "grant", "network", "tool", "b.example.com"];
    for disk in [Disk::Exchanges, Disk::Renames] {
        root.cut_everywhere(&["unload", "tool"], disk);
        root.cut_everywhere(&grant, disk);
    }
}

/// Returns the system calls of a load that matter for surviving a power failure.
fn syncs(cli: &Cli, file: &Path) -> Vec<String> {
    let load = ["load", "--uri", file.to_str().unwrap()];
    let calls = ["trace=fsync,/^rename".to_owned()];
    let ended = traced(cli, &load, &calls).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let trace = fs::read_to_string(cli.root().with_file_name("trace")).unwrap();
    trace.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_put_in_place_is_on_disk_before_and_its_place_right_after() {
    let cli = Cli::new();
    let file = cli.file("tool.wat", "");
    for version in [1, 2] {
        fs::write(&file, component(version)).unwrap();
        let calls = syncs(&cli, &file);
        let place = |call: &String| call.contains("rename") && call.contains("components/tool\"");
        let at = calls.iter().position(place).expect("it is put in place");
        let synced = |calls: &[String], end: &str| {
            let sync = |call: &&String| call.contains("fsync(") && call.contains(end);
            calls.iter().filter(sync).count()
        };
        let (before, after) = calls.split_at(at);
        assert_eq!(synced(before, "/component/tool.wasm>"), 1, "{calls:#?}");
        // The metadata and its copy, which are renamed when they are complete.
        assert_eq!(synced(before, "/component/.tmp"), 2, "{calls:#?}");
        assert!(synced(before, "/component>") >= 1, "{calls:#?}");
        assert_eq!(synced(after, "/components>"), 1, "{calls:#?}");
        match version {
            // The directory of all components is new as well, and so is the record of names.
            1 => assert_eq!(synced(before, "/root>"), 2, "{calls:#?}"),
            _ => {
                assert_eq!(synced(before, "/note.json>"), 1, "{calls:#?}");
                assert_eq!(synced(after, "/previous>"), 1, "{calls:#?}");
            }
        }
    }
}
