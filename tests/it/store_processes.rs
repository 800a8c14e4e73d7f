//! Many processes on one root.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::Cli;
use crate::support::components::{binary, with_section};
use crate::support::faults::{Faults, Honest};
use crate::support::mcp::CALC;

const PROCESSES: usize = 8;
const OPERATIONS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn eight_loads_of_the_same_download_it_once() {
    let wasm = with_section(binary(CALC), "padding", &[7; 2_000_000]);
    let honest = Honest::new(&Artifact::without_config(&[(WASM, &wasm)]));
    let blobs = Arc::new(AtomicUsize::new(0));
    let counted = blobs.clone();
    let server = Faults::start(move |seen| {
        if seen.target.contains("/blobs/") {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        honest.answer(seen)
    })
    .await;
    let cli = Arc::new(Cli::new());
    let uri = server.reference("a:v1");
    let loads = (0..PROCESSES).map(|_| {
        let (cli, uri) = (cli.clone(), uri.clone());
        tokio::task::spawn_blocking(move || cli.json(["load", "--uri", &uri])["status"].clone())
    });
    let mut statuses: Vec<Value> = Vec::new();
    for load in loads.collect::<Vec<_>>() {
        statuses.push(load.await.unwrap());
    }
    let new = statuses.iter().filter(|status| **status == "new").count();
    let again = statuses
        .iter()
        .filter(|status| **status == "already-loaded");
    assert_eq!((new, again.count()), (1, PROCESSES - 1));
    assert_eq!(blobs.load(Ordering::SeqCst), 1);
    assert!(cli.is_tidy());
}

/// Answers with `version`.
fn component(version: usize) -> String {
    format!(
        r#"(component
            (core module $m (func (export "version") (result i32) (i32.const {version})))
            (core instance $i (instantiate $m))
            (func (export "version") (result u32) (canon lift (core func $i "version"))))"#
    )
}

/// One of the things people do, and how it may end: with 0, or with 3 when
/// another process has unloaded the component.
fn operate(cli: &Cli, process: usize, nth: usize) {
    let id = format!("tool-{}", nth % 3);
    let run = |args: &[&str]| {
        let ended = cli.run(args);
        assert!([0, 3].contains(&ended.code), "{args:?}: {}", ended.stderr);
        ended.stdout
    };
    match (process + nth) % 5 {
        0 | 1 => {
            let file = cli.root().with_file_name(format!("{id}.wat"));
            let staged = file.with_extension(format!("{process}"));
            std::fs::write(&staged, component(process * OPERATIONS + nth)).unwrap();
            std::fs::rename(&staged, &file).unwrap();
            let uri = file.to_str().unwrap();
            let ended = cli.run(["load", "--uri", uri]);
            assert_eq!(ended.code, 0, "{}", ended.stderr);
        }
        2 => drop(run(&["unload", &id])),
        3 => {
            let listed: Value = serde_json::from_str(&run(&["list", "-o", "json"])).unwrap();
            for component in listed["components"].as_array().unwrap() {
                assert_eq!(component["status"], "ok", "{component}");
            }
        }
        _ => {
            let pair = format!("P{process}={nth}");
            assert_eq!(cli.run(["secret", "set", "shared", &pair]).code, 0);
        }
    }
}

#[test]
fn eight_processes_lose_nothing_and_see_nothing_torn() {
    let cli = Cli::new();
    thread::scope(|scope| {
        for process in 0..PROCESSES {
            let cli = &cli;
            scope.spawn(move || (0..OPERATIONS).for_each(|nth| operate(cli, process, nth)));
        }
    });
    let verified = cli.run(["cache", "verify", "-o", "json"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    assert!(cli.is_tidy());
    assert!(!cli.root().join("quarantine").exists());
    // No process's secret was lost to another's writing at the same time.
    let secrets = cli.json(["secret", "list", "shared"]).to_string();
    for process in 0..PROCESSES {
        assert!(secrets.contains(&format!("P{process}")), "{secrets}");
    }
    // What is there answers.
    for id in ["tool-0", "tool-1", "tool-2"] {
        let file = cli.root().with_file_name(format!("{id}.wat"));
        std::fs::write(&file, component(7)).unwrap();
        cli.load(&file);
    }
    assert_eq!(
        cli.json(["list"])["components"].as_array().unwrap().len(),
        3
    );
    let answers =
        ["version", "tool-1_version", "tool-2_version"].map(|tool| cli.run(["call", tool]).code);
    assert!(
        answers.contains(&0),
        "{answers:?} {}",
        json!(cli.json(["list"]))
    );
}
