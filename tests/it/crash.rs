//! Killed at any moment, a command leaves the old state or the new one.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::cli::Cli;

/// Kills, over all kinds of change.
const KILLS: u32 = 300;
/// The version that a rollback goes to.
const PREVIOUS: u32 = 5000;

/// Enough code that a compile takes a moment, answering with `version`.
fn component(version: u32) -> String {
    let body = "(i32.xor (i32.const 77)) (i32.rotl (i32.const 5))".repeat(20);
    let filler = format!("(func (param i32) (result i32) (local.get 0) {body})").repeat(50);
    format!(
        r#"(component
            (core module $m {filler} (func (export "version") (result i32) (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "version") (result u32) (canon lift (core func $i "version"))))"#
    )
}

struct Victim {
    cli: Cli,
    file: PathBuf,
    /// How long each kind of change takes when it is left alone.
    durations: [Duration; CHANGES.len()],
}

/// The changes that are cut off.
const CHANGES: [&[&str]; 7] = [
    &["load", "--uri", "tool.wat"],
    &["unload", "tool"],
    &["secret", "set", "tool", "TOKEN=another"],
    &["load", "--uri", "tool.wat", "--force-compile"],
    &["cache", "clear", "tool"],
    &["update", "tool"],
    &["rollback", "tool"],
];

impl Victim {
    fn new() -> Self {
        let cli = Cli::new();
        let file = cli.file("tool.wat", component(0));
        let mut victim = Victim {
            cli,
            file,
            durations: Default::default(),
        };
        for (nth, change) in CHANGES.iter().enumerate() {
            victim.whole(nth as u32);
            fs::write(&victim.file, component(1000)).unwrap();
            let started = Instant::now();
            assert_eq!(victim.cli.run(*change).code, 0, "{change:?}");
            victim.durations[nth] = started.elapsed();
        }
        victim
    }

    /// A root with `version` installed over the one before it, granted something, and with a secret.
    fn whole(&self, version: u32) {
        for version in [PREVIOUS, version] {
            fs::write(&self.file, component(version)).unwrap();
            self.cli.load(&self.file);
        }
        let set = self.cli.run(["secret", "set", "tool", "TOKEN=one"]);
        assert_eq!(set.code, 0, "{}", set.stderr);
    }

    /// Starts a change and kills it, and whoever it started, at this part of its time.
    fn cut(&self, change: usize, part: f64) {
        let mut command = self.cli.command();
        command
            .args(CHANGES[change])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(self.durations[change].mul_f64(part));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn answer(&self) -> Option<u64> {
        let called = self.cli.run(["call", "version", "-o", "json"]);
        match called.code {
            0 => serde_json::from_str::<Value>(&called.stdout).unwrap()["result"].as_u64(),
            3 => None,
            _ => panic!("{}", called.stderr),
        }
    }

    fn check(&self, change: usize, before: u32, after: u32) {
        let what = CHANGES[change];
        let verified = self.cli.run(["cache", "verify", "-o", "json"]);
        assert_eq!(verified.code, 0, "{what:?}: {}", verified.stdout);
        let gone = what[0] == "unload";
        match self.answer() {
            Some(version) => assert!(
                version == u64::from(before) || (!gone && version == u64::from(after)),
                "{what:?}: {version} is neither {before} nor {after}"
            ),
            None => assert!(gone, "{what:?} lost the component"),
        }
        let shown = self
            .cli
            .command()
            .args(["secret", "list", "tool", "-o", "json"])
            .output();
        let secrets = String::from_utf8(shown.unwrap().stdout).unwrap();
        assert!(
            secrets.contains("TOKEN"),
            "{what:?} lost a secret: {secrets}"
        );
    }
}

#[test]
fn killed_at_any_moment_nothing_is_torn_and_nothing_lost() {
    let victim = Victim::new();
    for kill in 0..KILLS {
        let change = kill as usize % CHANGES.len();
        let (before, after) = (2 * kill, 2 * kill + 1);
        victim.whole(before);
        let is_way_back = CHANGES[change][0] == "rollback";
        let after = if is_way_back { PREVIOUS } else { after };
        fs::write(&victim.file, component(after)).unwrap();
        // The golden ratio spreads the moments over the whole of the change.
        let part = f64::from(kill) * 0.618_034 % 1.0;
        victim.cut(change, part);
        victim.check(change, before, after);
    }
    victim.whole(9999);
    assert_eq!(victim.answer(), Some(9999));
    // A later load clears away what the killed ones left.
    assert!(victim.cli.is_tidy(), "leftovers were not swept");
}
