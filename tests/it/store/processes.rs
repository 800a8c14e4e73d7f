//! Many processes on one root.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, Ended};
use crate::support::components::{binary, with_section};
use crate::support::faults::{Faults, Honest};
use crate::support::mcp::{CALC, Place};
use crate::support::wait::{until, within};
use crate::support::wat::versioned;

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

/// The versions of `shared`, which is always installed.
const SHARED: [usize; 2] = [1001, 1002];

struct Root {
    place: Place,
}

impl Root {
    fn new() -> Self {
        let root = Root {
            place: Place::new(),
        };
        for version in SHARED {
            root.load("shared", version);
        }
        root
    }

    fn run(&self, args: &[&str]) -> Ended {
        let command = self.place.wassette(args).into_std().output();
        command.unwrap().into()
    }

    /// Runs a command that must succeed whatever the other processes do.
    fn json(&self, args: &[&str]) -> Value {
        let ended = self.run(&[args, &["-o", "json"]].concat());
        assert_eq!(ended.code, 0, "{args:?}: {} {}", ended.stderr, ended.stdout);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Like `json`, for a command that fails when the component is not installed.
    fn json_if_there(&self, args: &[&str]) -> Option<Value> {
        let ended = self.run(&[args, &["-o", "json"]].concat());
        assert!([0, 3].contains(&ended.code), "{args:?}: {}", ended.stderr);
        (ended.code == 0).then(|| serde_json::from_str(&ended.stdout).unwrap())
    }

    /// Loads a version, which other processes may replace at once.
    fn load(&self, id: &str, version: usize) -> Value {
        let file = self.place.path(&format!("{id}.wat"));
        let staged = file.with_extension(format!("{version}"));
        fs::write(&staged, versioned(id, version)).unwrap();
        fs::rename(&staged, &file).unwrap();
        self.json(&["load", "--uri", file.to_str().unwrap()])
    }
}

fn host(process: usize, nth: usize) -> String {
    format!("p{process}-{nth}.example")
}

/// Runs one operation of a user.
fn operate(root: &Root, process: usize, nth: usize) {
    let id = &*format!("tool-{}", nth % 3);
    match (process + nth) % 10 {
        0 | 1 => drop(root.load(id, process * OPERATIONS + nth)),
        2 => drop(root.json_if_there(&["unload", id])),
        3 => {
            for component in root.json(&["list"])["components"].as_array().unwrap() {
                assert_eq!(component["status"], "ok", "{component}");
            }
            let answer = root.json(&["call", "shared"])["result"].as_u64();
            assert!(SHARED.contains(&(answer.unwrap() as usize)), "{answer:?}");
        }
        4 => {
            if let Some(answer) = root.json_if_there(&["call", id]) {
                let versions = PROCESSES * OPERATIONS;
                assert!(answer["result"].as_u64().unwrap() < versions as u64);
            }
        }
        5 => {
            let updated = root.json_if_there(&["update", id]);
            let status = updated.map(|told| told["components"][0]["status"].clone());
            let known = [None, Some(json!("updated")), Some(json!("up-to-date"))];
            assert!(known.contains(&status), "{status:?}");
        }
        6 => drop(root.json_if_there(&["rollback", id])),
        7 => drop(root.json(&["rollback", "shared"])),
        8 => {
            root.json(&["cache", "list"]);
            root.json(&["cache", "verify"]);
        }
        _ => drop(root.json(&["cache", "clear"])),
    }
}

/// The work of one process. Each time, it also sets a secret and a grant of its own.
fn work(root: &Root, process: usize) {
    for nth in 0..OPERATIONS {
        operate(root, process, nth);
        let pair = format!("P{process}={nth}");
        assert_eq!(root.run(&["secret", "set", "shared", &pair]).code, 0);
        let grant = |verb, host: &str| {
            let ended = root.run(&["permission", verb, "network", "shared", host]);
            assert_eq!(ended.code, 0, "{verb}: {}", ended.stderr);
        };
        grant("grant", &host(process, nth));
        if nth > 0 {
            grant("revoke", &host(process, nth - 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_and_a_server_lose_nothing_and_see_nothing_torn() {
    let root = Arc::new(Root::new());
    let client = root.place.stdio().await;
    let work = (0..PROCESSES).map(|process| {
        let root = root.clone();
        tokio::task::spawn_blocking(move || work(&root, process))
    });
    let work: Vec<_> = work.collect();
    while work.iter().any(|process| !process.is_finished()) {
        let answer = client.call("shared", json!({})).await.structured_content;
        let known = SHARED.map(|version| Some(json!({ "result": version })));
        assert!(known.contains(&answer), "{answer:?}");
    }
    for process in work {
        process.await.unwrap();
    }
    let root = &*root;
    let verified = root.run(&["cache", "verify", "-o", "json"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    assert!(!root.place.path("root/quarantine").exists());

    // No process lost what another one wrote.
    let secrets = fs::read(root.place.path("root/secrets/shared.json")).unwrap();
    let secrets: Value = serde_json::from_slice(&secrets).unwrap();
    let last = |process| (format!("P{process}"), json!((OPERATIONS - 1).to_string()));
    let expected: serde_json::Map<_, _> = (0..PROCESSES).map(last).collect();
    assert_eq!(secrets["secrets"], Value::Object(expected));
    let granted = root.json(&["policy", "get", "shared"]);
    let grants = granted["grants"].as_array().unwrap().iter();
    let hosts = grants.map(|grant| grant["permission"]["network"]["host"].as_str().unwrap());
    let hosts: BTreeSet<String> = hosts.map(str::to_owned).collect();
    let last = |process| host(process, OPERATIONS - 1);
    assert_eq!(hosts, (0..PROCESSES).map(last).collect());

    // Installed components answer, from the server as well.
    for nth in 0..3 {
        let id = format!("tool-{nth}");
        root.load(&id, 7 + nth);
        assert_eq!(root.json(&["call", &id])["result"], 7 + nth);
        let answer = Some(json!({ "result": 7 + nth }));
        let heard = async {
            while !client.tool_names().await.contains(&id)
                || client.call(&id, json!({})).await.structured_content != answer
            {}
        };
        within("the server sees the last version", heard).await;
    }
    // The server may still be compiling a replaced version.
    let downloads = root.place.path("root/downloads");
    until("nothing is left", || {
        let left = fs::read_dir(&downloads).unwrap().flatten();
        left.filter(|entry| entry.file_name() != "parts").count() == 0
    })
    .await;
}
