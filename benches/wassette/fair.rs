//! Calls of one component while another loops endlessly, compared with a fair share of the
//! processors.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::components::{endless, install, tiny, work, write};
use crate::report::{row, title};

const LOOPS: [usize; 3] = [1, 8, 64];
const WINDOW: Duration = Duration::from_secs(5);
/// Counting to this number takes some 20 ms.
const WORK: u32 = 20_000_000;

pub fn run() {
    title("calls of one component while another loops, one at a time");
    let root = tempfile::tempdir().expect("a directory");
    for (name, component) in [("tiny", tiny()), ("work", work()), ("endless", endless())] {
        install(root.path(), &write(root.path(), name, &component));
    }
    unlimited(root.path());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    for (name, arguments) in [
        ("tiny", json!({ "a": 1, "b": 2 })),
        ("work", json!({ "n": WORK })),
    ] {
        let mut client = Client::wassette(root.path());
        let alone = rate(&mut client, name, &arguments);
        row(&format!("{name}, nothing beside it"), alone, "/s", None);
        let mut looping = 0;
        for loops in LOOPS {
            while looping < loops {
                client.send("tools/call", json!({ "name": "endless", "arguments": {} }));
                looping += 1;
            }
            let fair = alone * share(cores, loops);
            let rate = rate(&mut client, name, &arguments);
            let name = format!("{name} beside {loops} loops");
            row(&name, rate, "/s", Some((fair, "fair share")));
        }
    }
}

/// The fair share of one processor for a call while `loops` calls of another component compute, of
/// which at most as many run at a time as there are processors.
fn share(cores: usize, loops: usize) -> f64 {
    let computing = 1 + loops.min(cores);
    (cores as f64 / computing as f64).min(1.0)
}

/// Loops that outlast the measurement.
fn unlimited(root: &Path) {
    let policy = "version: \"1.0\"\npermissions: {resources: {limits: {time: 1h}}}\n";
    let file = root.join("components/endless/endless.policy.yaml");
    std::fs::write(file, policy).expect("writable");
}

fn rate(client: &mut Client, tool: &str, arguments: &serde_json::Value) -> f64 {
    for _ in 0..5 {
        client.call(tool, arguments.clone());
    }
    let (started, mut calls) = (Instant::now(), 0_u32);
    while started.elapsed() < WINDOW {
        client.call(tool, arguments.clone());
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}
