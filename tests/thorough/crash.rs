//! A command that is killed at any moment leaves the old state or the new one.
//!
//! The moments are events, so they do not depend on the machine's speed: the command's changes to
//! files of its root, and its requests to a registry.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use notify::{RecursiveMode, Watcher as _};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::faults::{Faults, Honest};

/// Most kills of each change.
const KILLS: usize = 28;
/// Number of kills after which the test checks that leftovers are removed, too.
const TIDIED: usize = 4;
/// Longer than anything takes that does not hang.
const DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two checks whether a process has ended.
const POLL: Duration = Duration::from_millis(5);

/// The changes to interrupt, and the component of each.
const CHANGES: [(&[&str], &str); 12] = [
    (&["load", "--uri", "new.wat"], "new"),
    (&["load", "--uri", "tool.wat"], "tool"),
    (&["load", "--uri", "tool.wat", "--force-compile"], "tool"),
    (&["load", "--uri", "OCI"], "remote"),
    (&["update", "remote", "--accept"], "remote"),
    (&["rollback", "tool"], "tool"),
    (&["unload", "tool"], "tool"),
    (
        &["permission", "grant", "network", "tool", "b.example"],
        "tool",
    ),
    (
        &["permission", "revoke", "network", "tool", "a.example"],
        "tool",
    ),
    (&["policy", "set", "tool", "policy.yaml"], "tool"),
    (&["secret", "set", "tool", "TOKEN=two"], "tool"),
    (&["cache", "clear", "tool"], "tool"),
];

const POLICY: &str = "version: \"1.0\"\npermissions: {network: {allow: [{host: c.example}]}}\n";

/// A component with enough code that compiling takes a moment, and a tool of this name that
/// returns `version`.
fn component(name: &str, version: u32) -> String {
    let body = "(i32.xor (i32.const 77)) (i32.rotl (i32.const 5))".repeat(20);
    let filler = format!("(func (param i32) (result i32) (local.get 0) {body})").repeat(50);
    format!(
        r#"(component
            (core module $m {filler} (func (export "version") (result i32) (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "{name}") (result u32) (canon lift (core func $i "version"))))"#
    )
}

fn artifact(version: u32) -> Artifact {
    Artifact::new(&[(WASM, &binary(&component("remote", version)))])
}

/// The state of a component that matters to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    /// `None` when it is not installed.
    version: Option<u32>,
    /// The version that a rollback installs.
    way_back: Option<u32>,
    hosts: BTreeSet<String>,
    secret: Option<String>,
}

impl State {
    /// The state of `tool` and `remote` before any change.
    fn before() -> Self {
        State {
            version: Some(2),
            way_back: Some(1),
            hosts: ["a.example".to_owned()].into(),
            secret: Some("one".into()),
        }
    }

    fn absent() -> Self {
        State {
            version: None,
            way_back: None,
            hosts: BTreeSet::new(),
            secret: None,
        }
    }

    /// The state of the change's component after the change.
    fn after(change: &[&str]) -> Self {
        let mut state = State::before();
        let hosts = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        match change {
            ["load", _, "new.wat"] => {
                state = State::absent();
                state.version = Some(3);
            }
            ["load", ..] | ["update", ..] => {
                (state.version, state.way_back) = (Some(3), Some(2));
            }
            ["rollback", ..] => (state.version, state.way_back) = (Some(1), Some(2)),
            ["unload", ..] => {
                // Secrets belong to the id.
                let secret = state.secret.take();
                state = State {
                    secret,
                    ..State::absent()
                };
            }
            ["permission", "grant", ..] => state.hosts = hosts(&["a.example", "b.example"]),
            ["permission", "revoke", ..] => state.hosts = hosts(&[]),
            ["policy", ..] => state.hosts = hosts(&["c.example"]),
            ["secret", ..] => state.secret = Some("two".into()),
            _ => {}
        }
        state
    }
}

struct Victim {
    cli: Cli,
    uri: String,
    /// Sends one item for each event of the running command.
    events: (Sender<()>, Receiver<()>),
    _runtime: Runtime,
    _registry: Faults,
}

impl Victim {
    /// Creates a root with two components, each in its second version.
    fn new() -> Self {
        let cli = Cli::new();
        let runtime = Runtime::new().unwrap();
        let content = Arc::new(Mutex::new(Honest::new(&artifact(1))));
        let events = mpsc::channel();
        let (served, asked) = (content.clone(), events.0.clone());
        let registry = runtime.block_on(Faults::start(move |seen| {
            // The test may have ended.
            let _ = asked.send(());
            served.lock().unwrap().answer(seen)
        }));
        let uri = registry.reference("remote:v1");
        let file = cli.file("tool.wat", "");
        for version in [1, 2] {
            fs::write(&file, component("tool", version)).unwrap();
            cli.load(&file);
            *content.lock().unwrap() = Honest::new(&artifact(version));
            cli.json(["load", "--uri", &uri]);
        }
        for id in ["tool", "remote"] {
            cli.json(["permission", "grant", "network", id, "a.example"]);
            assert_eq!(cli.run(["secret", "set", id, "TOKEN=one"]).code, 0);
        }
        cli.load(&cli.file("idle.wat", component("idle", 4)));
        fs::write(&file, component("tool", 3)).unwrap();
        cli.file("new.wat", component("new", 3));
        cli.file("policy.yaml", POLICY);
        *content.lock().unwrap() = Honest::new(&artifact(3));
        let victim = Victim {
            cli,
            uri,
            events,
            _runtime: runtime,
            _registry: registry,
        };
        copy(&victim.cli.root(), &victim.template());
        victim
    }

    fn template(&self) -> PathBuf {
        self.cli.root().with_file_name("template")
    }

    fn restore(&self) {
        fs::remove_dir_all(self.cli.root()).unwrap();
        copy(&self.template(), &self.cli.root());
    }

    fn start(&self, change: &[&str]) -> Child {
        let given = change.iter().map(|part| match *part {
            "OCI" => &*self.uri,
            part => part,
        });
        let mut command = self.cli.command();
        command
            .args(given)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().unwrap()
    }

    /// Starts the change on a fresh root, and kills it and its children after `nth` events, or
    /// lets it end. Returns the number of events.
    fn cut(&self, change: &[&str], nth: usize) -> usize {
        self.restore();
        let (sender, events) = &self.events;
        while events.try_recv().is_ok() {}
        let sender = sender.clone();
        let mut watcher = notify::recommended_watcher(move |_| _ = sender.send(())).unwrap();
        watcher
            .watch(&self.cli.root(), RecursiveMode::Recursive)
            .unwrap();
        let mut child = self.start(change);
        let (started, mut seen) = (Instant::now(), 0);
        while seen < nth {
            match events.recv_timeout(POLL) {
                Ok(()) => seen += 1,
                Err(RecvTimeoutError::Timeout) if has_ended(&child) => break,
                Err(error) => assert!(started.elapsed() < DEADLINE, "{change:?}: {error}"),
            }
        }
        kill_group(&mut child);
        seen
    }

    /// Returns the number of events of the change when it is not interrupted.
    fn count(&self, change: &[&str], id: &str) -> usize {
        let events = self.cut(change, usize::MAX);
        assert_eq!(self.observe(id), State::after(change), "{change:?}");
        events
    }

    /// Returns the current state. Checking for a previous version does a rollback.
    fn observe(&self, id: &str) -> State {
        let secrets = self.cli.root().join(format!("secrets/{id}.json"));
        let secret = fs::read(secrets).ok().map(|text| {
            let secrets: Value = serde_json::from_slice(&text).unwrap();
            secrets["secrets"]["TOKEN"].as_str().unwrap().to_owned()
        });
        let listed = self.cli.json(["list"])["components"].clone();
        let found = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["id"] == id);
        if found.is_none() {
            return State {
                secret,
                ..State::absent()
            };
        }
        let version = || self.cli.json(["call", id])["result"].as_u64().unwrap() as u32;
        let granted = self.cli.json(["policy", "get", id]);
        let grants = granted["grants"].as_array().unwrap().iter();
        let host = |grant: &Value| {
            grant["permission"]["network"]["host"]
                .as_str()
                .map(str::to_owned)
        };
        let now = version();
        let back = self.cli.run(["rollback", id]);
        assert!([0, 3].contains(&back.code), "{}", back.stderr);
        State {
            version: Some(now),
            way_back: (back.code == 0).then(version),
            hosts: grants.filter_map(host).collect(),
            secret,
        }
    }

    fn check(&self, change: &[&str], id: &str, what: &str) {
        let verified = self.cli.run(["cache", "verify", "-o", "json"]);
        assert_eq!(verified.code, 0, "{what}: {}", verified.stdout);
        let before = match id {
            "new" => State::absent(),
            _ => State::before(),
        };
        let found = self.observe(id);
        let after = State::after(change);
        assert!(found == before || found == after, "{what}: {found:?}");
    }

    /// Checks that a later load removes what the killed commands left, and that the other
    /// components are unchanged.
    fn check_the_rest(&self, id: &str, what: &str) {
        self.cli
            .load(&self.cli.file("idle.wat", component("idle", 4)));
        let leftovers = self.cli.leftovers();
        assert!(leftovers.is_empty(), "{what}: {leftovers:?} were not swept");
        for other in ["tool", "remote"].into_iter().filter(|other| *other != id) {
            assert_eq!(self.observe(other), State::before(), "{what}: {other}");
        }
    }
}

/// Whether the child has ended. Does not reap it, so that its process id is not reused.
fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let ended = waitid(WaitId::Pid(Pid::from_child(child)), options);
    ended.unwrap().is_some()
}

/// Kills the child and the compilers that it started, and waits until they have ended.
fn kill_group(child: &mut Child) {
    let group = Pid::from_child(child);
    kill_process_group(group, Signal::KILL).unwrap();
    child.wait().unwrap();
    let started = Instant::now();
    while is_alive(group) {
        assert!(started.elapsed() < DEADLINE, "killed, and still there");
        std::thread::sleep(POLL);
    }
}

/// Whether a process of the group is still running.
fn is_alive(group: Pid) -> bool {
    let group = group.as_raw_nonzero().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read_to_string(process.path().join("stat")).ok())
        .any(|stat| {
            // After the name in parentheses: state, parent, group.
            let fields = stat.rsplit(')').next().unwrap_or_default();
            let fields: Vec<&str> = fields.split_whitespace().collect();
            fields.get(2) == Some(&&*group) && fields[0] != "Z"
        })
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

#[test]
fn killed_at_any_moment_nothing_is_torn_and_nothing_lost() {
    let victim = Victim::new();
    for (change, id) in CHANGES {
        let events = victim.count(change, id);
        assert!(events >= 5, "{change:?} does {events} things only");
        let kills = KILLS.min(events);
        for kill in 0..kills {
            let nth = kill * events / kills;
            let done = victim.cut(change, nth);
            let what = format!("{change:?} killed after {done} of {events} events");
            victim.check(change, id, &what);
            if kill % TIDIED == 0 {
                victim.check_the_rest(id, &what);
            }
        }
    }
}
