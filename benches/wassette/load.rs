//! Loads from `file://`: the time to the tools, to the first answer, and of a second load.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::Client;
use crate::components::real;
use crate::report::{median_ms, ms, peak_mib, resident_mib, row, title};

struct Subject {
    title: &'static str,
    file: &'static str,
    tool: &'static str,
    arguments: fn() -> Value,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        title: "load of the 12 MB JavaScript component",
        file: "json.wasm",
        tool: "format",
        arguments: || json!({"document": "{\"a\":1}"}),
    },
    Subject {
        title: "load of the 18 MB Python component",
        file: "stats.wasm",
        tool: "evaluate",
        arguments: || json!({"expression": "1 + 2", "variables": []}),
    },
];

pub fn run() {
    for subject in &SUBJECTS {
        title(subject.title);
        let file = real(subject.file);
        let cranelift = cranelift(&file);
        row("Cranelift compile of the same bytes", cranelift, "ms", None);
        let base = Some((cranelift, "the compile"));
        let (mut listed, mut answered) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let root = tempfile::tempdir().expect("a directory");
            let mut client = Client::wassette(root.path());
            let started = Instant::now();
            client.call("load-component", json!({"uri": file}));
            assert!(client.list_tools() > 4);
            listed.push(ms(started.elapsed()));
            client.call(subject.tool, (subject.arguments)());
            answered.push(ms(started.elapsed()));
            if listed.len() == 3 {
                row("to tools listed", median(&mut listed), "ms", base);
                row("to the first answer", median(&mut answered), "ms", base);
                let again = median_ms(10, || {
                    client.call("load-component", json!({"uri": file}));
                });
                row("the same load again", again, "ms", base);
                row(
                    "peak memory of the server",
                    peak_mib(client.pid()),
                    "MiB",
                    None,
                );
                let resident = resident_mib(client.pid());
                row("resident memory of the server", resident, "MiB", None);
            }
        }
    }
}

/// wasmtime's own optimising compiler, in a separate process.
fn cranelift(file: &Path) -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_wassette"))
        .arg("compile")
        .stdin(Stdio::piped())
        .spawn()
        .expect("wassette runs");
    let task = json!({
        "tier": "optimised",
        "priority": "awaited",
        "component": file,
        "code": dir.path().join("out.cwasm"),
    });
    writeln!(child.stdin.as_mut().expect("a pipe"), "{task}").expect("it reads");
    let status = child.wait().expect("it ends");
    assert!(status.success());
    ms(started.elapsed())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
