//! Calls over stdio: of a tiny tool, and with large arguments and results.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use crate::client::Client;
use crate::components::{install, texts, tiny, write};
use crate::report::{row, title};

const CALLS: u32 = 20_000;
const IN_FLIGHT: u32 = 32;
/// A large text, in bytes, and the calls with one.
const LARGE: u32 = 1_000_000;
const LARGE_CALLS: u32 = 400;
/// An odd number, so that the median is one of the values.
const ROUNDS: usize = 15;

pub fn run() {
    title("calls of a tiny tool over stdio, per second");
    let root = root();
    let raw = raw();
    row("raw instantiate and call, one thread", raw, "/s", None);
    let mut null = Client::null();
    let mut wassette = Client::wassette(root.path());
    for window in [1, IN_FLIGHT] {
        let base = rate(&mut null, window);
        row(
            &format!("fixed answers, {window} in flight"),
            base,
            "/s",
            None,
        );
        let rate = rate(&mut wassette, window);
        let name = format!("wassette, {window} in flight");
        row(&name, rate, "/s", Some((base, "fixed answers")));
        row("", rate, "/s", Some((raw, "raw")));
    }
    drop(wassette);
    with_grants(root.path());
    large();
}

/// The same call, again and again.
struct Exchange {
    tool: &'static str,
    arguments: Value,
    calls: u32,
    is_right: fn(&Value) -> bool,
}

impl Exchange {
    fn tiny() -> Self {
        Exchange {
            tool: "tiny",
            arguments: json!({"a": 1, "b": 2}),
            calls: CALLS,
            is_right: |result| *result == 3,
        }
    }
}

fn large() {
    title("calls with texts of 1 MB over stdio, per second");
    let root = tempfile::tempdir().expect("a directory");
    install(root.path(), &write(root.path(), "texts", &texts()));
    let mut client = Client::wassette(root.path());
    let arguments = Exchange {
        tool: "length",
        arguments: json!({"text": "x".repeat(LARGE as usize)}),
        calls: LARGE_CALLS,
        is_right: |result| *result == LARGE,
    };
    let result = Exchange {
        tool: "repeat",
        arguments: json!({"length": LARGE}),
        calls: LARGE_CALLS,
        is_right: |result| {
            result
                .as_str()
                .is_some_and(|text| text.len() == LARGE as usize)
        },
    };
    for (name, exchange) in [("arguments", arguments), ("result", result)] {
        for window in [1, IN_FLIGHT] {
            let rate = rate_of(&mut client, &exchange, window);
            row(
                &format!("{name} of 1 MB, {window} in flight"),
                rate,
                "/s",
                None,
            );
        }
    }
}

/// Both run in turns, so that other load on the machine affects both, and in new processes each
/// time, because a single process may be a few percent faster than another.
fn with_grants(none: &Path) {
    let root = root();
    grant(root.path());
    for window in [1, IN_FLIGHT] {
        let once = |root: &Path| rate(&mut Client::wassette(root), window);
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|_| (once(none), once(root.path())))
            .collect();
        rounds.sort_by(|(a, b), (c, d)| (b / a).total_cmp(&(d / c)));
        let (none, granted) = rounds[ROUNDS / 2];
        let name = format!("with grants, {window} in flight");
        row(&name, granted, "/s", Some((none, "no policy")));
    }
}

/// A root with the tiny component installed.
fn root() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let file = write(root.path(), "tiny", &tiny());
    install(root.path(), &file);
    root
}

/// Grants network, storage, an environment variable with a secret, and limits.
fn grant(root: &Path) {
    let policy = r#"version: "1.0"
permissions:
  network: {allow: [{host: api.example.com}, {host: "*.example.org"}, {cidr: 10.0.0.0/8}]}
  storage: {allow: [{uri: "fs:///tmp/**", access: [read, write]}], deny: [{uri: "fs:///tmp/no/**"}]}
  environment: {allow: [{key: PATH}, {key: REGION, value: eu}, {key: TOKEN, value_from: secret}]}
  resources: {limits: {memory: 256Mi, cpu: 900m, time: 10s, instances: 64, output: 1Mi}}
"#;
    let file = root.join("components/tiny/tiny.policy.yaml");
    std::fs::write(file, policy).expect("writable");
    let output = Command::new(env!("CARGO_BIN_EXE_wassette"))
        .args(["secret", "set", "tiny", "TOKEN=of-the-bench", "--root"])
        .arg(root)
        .output()
        .expect("wassette runs");
    assert!(output.status.success(), "{output:?}");
}

fn rate(client: &mut Client, window: u32) -> f64 {
    rate_of(client, &Exchange::tiny(), window)
}

fn rate_of(client: &mut Client, exchange: &Exchange, window: u32) -> f64 {
    run_calls(client, exchange, window, exchange.calls / 20);
    let started = Instant::now();
    run_calls(client, exchange, window, exchange.calls);
    f64::from(exchange.calls) / started.elapsed().as_secs_f64()
}

fn run_calls(client: &mut Client, exchange: &Exchange, window: u32, calls: u32) {
    let send = |client: &mut Client| {
        let Exchange {
            tool, arguments, ..
        } = exchange;
        client.send("tools/call", json!({"name": tool, "arguments": arguments}))
    };
    let mut open: HashSet<u64> = (0..window).map(|_| send(client)).collect();
    let mut sent = window;
    while !open.is_empty() {
        let answer = client.next();
        let result = &answer["result"]["structuredContent"]["result"];
        assert!((exchange.is_right)(result), "{answer}");
        assert!(answer["id"].as_u64().is_some_and(|id| open.remove(&id)));
        if sent < calls {
            open.insert(send(client));
            sent += 1;
        }
    }
}

/// The cost of wasmtime itself, without anything around it.
fn raw() -> f64 {
    let engine = Engine::default();
    let component = Component::new(&engine, tiny()).expect("compiles");
    let pre = Linker::<()>::new(&engine)
        .instantiate_pre(&component)
        .expect("links");
    let started = Instant::now();
    for _ in 0..CALLS {
        let mut store = Store::new(&engine, ());
        let instance = pre.instantiate(&mut store).expect("instantiates");
        let add = instance
            .get_typed_func::<(i32, i32), (i32,)>(&mut store, "tiny")
            .expect("is exported");
        assert_eq!(add.call(&mut store, (1, 2)).expect("returns"), (3,));
    }
    f64::from(CALLS) / started.elapsed().as_secs_f64()
}
