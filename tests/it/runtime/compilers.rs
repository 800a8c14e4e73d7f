//! Compiler processes: their limits, their number, and that none outlives the process that waits
//! for it.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use wassette::error::Diagnose;
use wassette::runtime::{Program, Runtime};

use crate::support::cli::Cli;
use crate::support::components_rt as components;
use crate::support::installed;
use crate::support::mcp::{CALC, Place};
use crate::support::program::{Installed, call};
use crate::support::wait::{block_until, until};

/// A compiler that waits for its component, in a pipe without a writer.
struct Stuck {
    directory: tempfile::TempDir,
    child: Child,
}

impl Stuck {
    fn start(priority: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let component = directory.path().join("component");
        let made = Command::new("mkfifo").arg(&component).status();
        assert!(made.unwrap().success());
        let mut child = Command::new(env!("CARGO_BIN_EXE_wassette"))
            .arg("compile")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let task = json!({
            "tier": "baseline",
            "priority": priority,
            "component": component,
            "code": directory.path().join("code"),
        });
        writeln!(child.stdin.as_mut().unwrap(), "{task}").unwrap();
        let stuck = Stuck { directory, child };
        // Opening for writing works once the compiler reads.
        block_until("the compiler reads", || stuck.component().is_ok());
        stuck
    }

    fn component(&self) -> std::io::Result<fs::File> {
        let mut options = fs::File::options();
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        options.write(true).custom_flags(nonblocking);
        options.open(self.directory.path().join("component"))
    }

    fn process(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    fn nice(&self) -> i32 {
        let stat = self.process("stat");
        let after_name = stat.rsplit_once(") ").unwrap().1;
        after_name.split(' ').nth(16).unwrap().parse().unwrap()
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_compiler_bounds_its_memory_and_time_and_steps_back_unless_a_call_waits() {
    let mut own = 0;
    for (priority, steps) in [("awaited", 0), ("background", 10)] {
        let compiler = Stuck::start(priority);
        if steps == 0 {
            own = compiler.nice();
        }
        assert_eq!(compiler.nice(), (own + steps).min(19), "{priority}");
        let limits = compiler.process("limits");
        for limit in ["Max cpu time", "Max data size"] {
            let line = limits.lines().find(|line| line.starts_with(limit));
            let soft = line.unwrap()[limit.len()..].split_whitespace().next();
            soft.unwrap().parse::<u64>().unwrap();
        }
    }
}

#[test]
fn a_compiler_ends_with_its_input() {
    let mut compiler = Stuck::start("background");
    assert!(compiler.child.try_wait().unwrap().is_none());
    drop(compiler.child.stdin.take());
    block_until("the compiler ends", || {
        compiler.child.try_wait().unwrap().is_some()
    });
}

/// Returns the children of a process.
fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut after_name = stat.rsplit_once(") ")?.1.split(' ');
    // A zombie does not count.
    let is_alive = after_name.next()? != "Z";
    is_alive.then(|| after_name.next()?.parse().ok()).flatten()
}

#[test]
fn a_compiler_dies_with_a_server_that_is_killed() {
    let cli = Cli::new();
    let mut server = cli
        .command()
        .args(["load", "--uri"])
        .arg(installed::component("json.wasm"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut compilers = Vec::new();
    block_until("the compiler starts", || {
        compilers = children(server.id());
        !compilers.is_empty()
    });
    server.kill().unwrap();
    server.wait().unwrap();
    block_until("the compiler ends", || {
        compilers.iter().all(|id| parent_of(*id).is_none())
    });
    // It did not end because it was done: twelve megabytes take seconds.
    let staging = fs::read_dir(cli.root().join("downloads")).unwrap();
    let code = staging
        .flatten()
        .filter(|entry| entry.path().join("code.cwasm").exists());
    assert_eq!(code.count(), 0);
}

/// Writes a script that replaces the compiler; `wassette` is the real one.
fn script(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("compiler");
    let real = env!("CARGO_BIN_EXE_wassette");
    crate::support::script::write(&path, &format!("wassette={real}\n{text}"));
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_without_memory_dies_alone() {
    let installed = Installed::new(&components::large_add());
    // The stacks of its threads count, too: they have their usual size.
    let text = "ulimit -d 20480; unset RUST_MIN_STACK; exec \"$wassette\" \"$@\"";
    let mut options = installed.options();
    options.compiler = script(installed.root.path(), text);
    let program = installed.program_with(options);
    let failed = call(&program, "add", json!({"a": 1, "b": 2})).await;
    assert_eq!(failed.unwrap_err().code(), "compiler-crashed");
    // With enough memory, the same component compiles.
    call(&installed.program(), "add", json!({"a": 1, "b": 2}))
        .await
        .unwrap();
}

/// A compiler that records how it was called and never ends.
struct Notes(PathBuf);

impl Notes {
    fn compiler(&self, directory: &Path) -> PathBuf {
        let notes = self.0.display();
        script(
            directory,
            &format!("read -r task; echo \"$task\" >> {notes}; exec sleep 60"),
        )
    }

    /// Returns the priorities of the started jobs.
    fn priorities(&self) -> Vec<String> {
        let notes = fs::read_to_string(&self.0).unwrap_or_default();
        let tasks = notes
            .lines()
            .map_while(|line| serde_json::from_str::<Value>(line).ok());
        tasks
            .map(|task| task["priority"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn reach(&self, jobs: usize) {
        until("the jobs start", || self.priorities().len() >= jobs).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_compile_in_the_background_and_calls_do_not_queue_behind_them() {
    let installed = Installed::new(&components::large_add());
    let notes = Notes(installed.root.path().join("notes"));
    let mut options = installed.options();
    options.compiler = notes.compiler(installed.root.path());
    options.compile_jobs = 2;
    let runtime = Runtime::new(options);
    let programs: Vec<Arc<Program>> = (0..4)
        .map(|_| runtime.program(installed.source.clone()))
        .collect();
    for program in &programs {
        program.warm();
    }
    notes.reach(2).await;
    // The jobs that wait in the queue are called, and one more is.
    let cold = runtime.program(installed.source.clone());
    let calls = programs.into_iter().chain([cold]).map(|program| {
        tokio::spawn(async move { call(&program, "add", json!({"a": 1, "b": 2})).await })
    });
    let calls: Vec<_> = calls.collect();
    notes.reach(4).await;
    let started = notes.priorities();
    let expected = ["background", "background", "awaited", "awaited"];
    assert_eq!(started, expected);
    for call in calls {
        call.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_written_code_is_made_for_this_time() {
    let installed = Installed::new(components::ADD);
    let mut options = installed.options();
    // Not even root can create a directory there.
    options.layout = wassette::store::Layout::new("/proc/wassette");
    let program = installed.program_with(options);
    let sum = call(&program, "add", json!({"a": 1, "b": 2})).await;
    sum.unwrap();
}

/// A server keeps one compiler waiting. It compiles one component, and another takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_is_started_ahead_and_used_once() {
    let place = Place::new();
    let client = place.stdio().await;
    let waiting = || {
        let children = children(client.pid());
        (children.len() == 1).then(|| children[0])
    };
    client.tool_names().await;
    block_until("a compiler waits", || waiting().is_some());
    let first = waiting().unwrap();
    client.load(&place.component("calc.wat", CALC)).await;
    let sum = client.call("add", json!({"a": 1, "b": 2})).await;
    assert_eq!(sum.structured_content, Some(json!({"result": 3})));
    block_until("another waits", || waiting().is_some_and(|id| id != first));
    assert_eq!(parent_of(first), None);

    // A waiting compiler that was killed is not the component's fault.
    let second = waiting().unwrap();
    let id = rustix::process::Pid::from_raw(second as i32).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    block_until("it is gone", || parent_of(second).is_none());
    let other = CALC.replace("i32.add", "i32.sub");
    client.load(&place.component("other.wat", &other)).await;
    let difference = client.call("other_add", json!({"a": 3, "b": 2})).await;
    assert_eq!(difference.structured_content, Some(json!({"result": 1})));
}
