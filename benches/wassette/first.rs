//! The first seconds: calls after an early restart, a small load, and a crowd.

use std::collections::HashMap;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::client::Client;
use crate::components::{file_reader, install, named, real, three_megabytes, write};
use crate::report::{median_ms, ms, row, title};

/// Time between the load and the restart: too short for the optimised code.
const SOON: Duration = Duration::from_millis(500);
const CALLS: usize = 5_000;
const IN_FLIGHT: usize = 32;

pub fn run() {
    title("first call after a restart 0.5 s after the load");
    let files = tempfile::tempdir().expect("a directory");
    let three = write(files.path(), "three", &three_megabytes(0));
    after_a_restart("3.4 MB", &three, "add-0", &json!({"a": 1, "b": 2}));
    let document = json!({"document": "{\"a\":1}"});
    after_a_restart(
        "12 MB of JavaScript",
        &real("json.wasm"),
        "format",
        &document,
    );
    title("load of a tiny component");
    tiny_load(files.path());
    title("a 3.4 MB component opens a file, 32 calls in flight");
    readers(files.path());
}

fn after_a_restart(name: &str, file: &Path, tool: &str, arguments: &Value) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let root = tempfile::tempdir().expect("a directory");
        let mut client = Client::wassette(root.path());
        client.call("load-component", json!({"uri": file}));
        sleep(SOON);
        drop(client);
        let mut client = Client::wassette(root.path());
        client.list_tools();
        for times in [&mut first, &mut second] {
            let started = Instant::now();
            client.call(tool, arguments.clone());
            times.push(ms(started.elapsed()));
        }
    }
    let (first, second) = (at(&mut first, 0.5), at(&mut second, 0.5));
    row(&format!("{name}: a second call"), second, "ms", None);
    let base = Some((second, "a second call"));
    row(&format!("{name}: the first call"), first, "ms", base);
}

fn tiny_load(files: &Path) {
    let engine = Engine::default();
    let mut number = 0;
    let mut next = || {
        number += 1;
        named(&format!("tiny-{number}"))
    };
    let compile = median_ms(20, || {
        Component::new(&engine, next()).expect("compiles");
    });
    row("Cranelift compile of the same bytes", compile, "ms", None);
    let root = tempfile::tempdir().expect("a directory");
    let mut client = Client::wassette(root.path());
    let (mut listed, mut answered) = (Vec::new(), Vec::new());
    for n in 0..20 {
        let name = format!("little-{n}");
        let file = write(files, &name, &named(&name));
        let started = Instant::now();
        client.call("load-component", json!({"uri": file}));
        listed.push(ms(started.elapsed()));
        client.call(&name, json!({"a": 1, "b": 2}));
        answered.push(ms(started.elapsed()));
    }
    let base = Some((compile, "the compile"));
    row("to tools listed", at(&mut listed, 0.5), "ms", base);
    row("to the first answer", at(&mut answered, 0.5), "ms", base);
}

fn readers(files: &Path) {
    let root = tempfile::tempdir().expect("a directory");
    let data = tempfile::tempdir().expect("a directory");
    std::fs::write(data.path().join("f"), "x").expect("writable");
    install(root.path(), &write(files, "reader", &file_reader()));
    let policy = format!(
        "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n    - uri: \"fs://{}/**\"\n      \
         access: [read]\n",
        data.path().display()
    );
    let file = root.path().join("components/reader/reader.policy.yaml");
    std::fs::write(file, policy).expect("writable");
    let mut client = Client::wassette(root.path());
    let mut sent_at = HashMap::new();
    let mut times = Vec::new();
    let send = |client: &mut Client, sent_at: &mut HashMap<u64, Instant>| {
        let arguments = json!({"name": "read", "arguments": {"path": "f"}});
        let id = client.send("tools/call", arguments);
        sent_at.insert(id, Instant::now());
    };
    // The measured calls use the optimised code.
    client.call("read", json!({"path": "f"}));
    for _ in 0..IN_FLIGHT {
        send(&mut client, &mut sent_at);
    }
    while times.len() < CALLS {
        let answer = client.next();
        assert!(answer["result"]["isError"] != true, "{answer}");
        let id = answer["id"].as_u64().expect("a number");
        times.push(ms(sent_at.remove(&id).expect("it was sent").elapsed()));
        send(&mut client, &mut sent_at);
    }
    let median = at(&mut times, 0.5);
    row("median", median, "ms", None);
    row("p99", at(&mut times, 0.99), "ms", Some((median, "median")));
}

/// Returns the quantile of the times.
fn at(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share) as usize]
}
