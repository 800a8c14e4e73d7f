//! The store: a start with a thousand components, hashing all of them, and switching between
//! components.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::components::{install, named, padded, real, three_megabytes, write};
use crate::report::{median_ms, ms, resident_mib, row, title};

pub fn run() {
    many();
    verify();
    switching();
    one_of_many();
}

/// The time from the start to a complete `tools/list`.
fn many() {
    const INSTALLED: usize = 1000;
    title("start to a complete tools/list with 1,000 components");
    let null = median_ms(20, || {
        Client::null().list_tools();
    });
    row("a process of fixed answers", null, "ms", None);
    let root = tempfile::tempdir().expect("a directory");
    let files = tempfile::tempdir().expect("a directory");
    let work = |part: usize| {
        for n in (part..INSTALLED).step_by(2) {
            let file = write(
                files.path(),
                &format!("c{n:04}"),
                &named(&format!("add-{n}")),
            );
            install(root.path(), &file);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| work(0));
        scope.spawn(|| work(1));
    });
    let time = median_ms(20, || {
        let listed = Client::wassette(root.path()).list_tools();
        assert!(listed >= INSTALLED, "{listed}");
    });
    row("1,000 installed", time, "ms", Some((null, "fixed answers")));
}

/// `cache verify` against `sha256sum` of the same components.
fn verify() {
    const INSTALLED: usize = 32;
    const SIZE: usize = 24 << 20;
    title("`cache verify` of 32 components of 24 MiB");
    let root = tempfile::tempdir().expect("a directory");
    let components: Vec<PathBuf> = (0..INSTALLED)
        .map(|n| {
            let name = format!("big-{n}");
            let file = write(root.path(), &name, &padded(&name, SIZE));
            install(root.path(), &file);
            std::fs::remove_file(file).expect("removable");
            root.path().join(format!("components/{name}/{name}.wasm"))
        })
        .collect();
    let gigabytes = (INSTALLED * SIZE) as f64 / 1e9;
    let rate = |ms: f64| gigabytes / (ms / 1e3);
    let sums = rate(median_ms(5, || {
        succeed(Command::new("sha256sum").args(&components))
    }));
    row("sha256sum, one core", sums, "GB/s", None);
    let time = median_ms(5, || verify_root(root.path()));
    let cores = thread::available_parallelism().map_or(1, usize::from) as f64;
    row(
        "cache verify",
        rate(time),
        "GB/s",
        Some((sums, "sha256sum")),
    );
    let each = rate(time) / cores;
    row("  for each core", each, "GB/s", Some((sums, "sha256sum")));
}

fn verify_root(root: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wassette"));
    succeed(command.args(["cache", "verify", "--root"]).arg(root));
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("the command runs");
    assert!(output.status.success(), "{output:?}");
}

/// The first call of each of many components, after they were idle.
fn switching() {
    const INSTALLED: usize = 50;
    title("from one component to the next (50 of over 3 MB)");
    let root = tempfile::tempdir().expect("a directory");
    for n in 0..INSTALLED {
        let file = write(root.path(), &format!("c{n}"), &three_megabytes(n));
        install(root.path(), &file);
    }
    std::fs::write(root.path().join("config.toml"), "[limits]\nidle = 1\n").expect("writable");
    let mut client = Client::wassette(root.path());
    let first = each(&mut client, INSTALLED);
    let again = each(&mut client, INSTALLED);
    row("a second call", again, "ms", None);
    row(
        "the first call after the start",
        first,
        "ms",
        Some((again, "a second call")),
    );
    let busy = resident_mib(client.pid());
    // Idle code is removed at intervals.
    thread::sleep(Duration::from_secs(5));
    let idle = resident_mib(client.pid());
    let back = each(&mut client, INSTALLED);
    row(
        "the first call after idling",
        back,
        "ms",
        Some((again, "a second call")),
    );
    row("resident memory with all in use", busy, "MiB", None);
    row(
        "resident memory when idle",
        idle,
        "MiB",
        Some((busy, "all in use")),
    );
}

/// The memory of a server with a hundred large components, of which one is used.
fn one_of_many() {
    const OTHERS: usize = 99;
    const SIZE: usize = 12 << 20;
    title("resident memory with one 12 MB JavaScript component in use");
    let root = tempfile::tempdir().expect("a directory");
    install(root.path(), &real("json.wasm"));
    let alone = memory_in_use(root.path());
    row("of one installed", alone, "MiB", None);
    for n in 0..OTHERS {
        let name = format!("big-{n}");
        let file = write(root.path(), &name, &padded(&name, SIZE));
        install(root.path(), &file);
        std::fs::remove_file(file).expect("removable");
    }
    let among = memory_in_use(root.path());
    row(
        "of a hundred installed",
        among,
        "MiB",
        Some((alone, "one installed")),
    );
}

/// The memory of a server after a call of the JavaScript component.
fn memory_in_use(root: &Path) -> f64 {
    let mut client = Client::wassette(root);
    assert!(client.list_tools() > 0);
    client.call("format", json!({"document": "{\"a\":1}"}));
    resident_mib(client.pid())
}

/// Calls every component once; returns the median in milliseconds.
fn each(client: &mut Client, installed: usize) -> f64 {
    let mut times: Vec<f64> = (0..installed)
        .map(|n| {
            let started = Instant::now();
            client.call(&format!("add-{n}"), json!({"a": 1, "b": 2}));
            ms(started.elapsed())
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
