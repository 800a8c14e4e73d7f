//! A rollback restores only a version from the same source.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::faults::{Faults, Honest};
use crate::support::wat::versioned;

/// A component that returns `version`.
fn code(version: u32) -> String {
    versioned("version", version)
}

/// Installs a component in its second version, with the first as its previous version.
fn replaced(cli: &Cli) -> PathBuf {
    let file = cli.file("tool.wat", code(1));
    cli.load(&file);
    fs::write(&file, code(2)).unwrap();
    cli.load(&file);
    file
}

fn load_from_another_source(cli: &Cli) {
    let other = cli.file("other.wat", code(3));
    let loaded = cli.run(["load", "--name", "tool", "--uri", other.to_str().unwrap()]);
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    cli.json(["permission", "grant", "network", "tool", "b.example.com"]);
}

fn assert_no_way_back(cli: &Cli) {
    let back = cli.failure(["rollback", "tool"]);
    assert!(back.contains("No previous version of"), "{back}");
    assert_eq!(cli.json(["call", "tool_version"])["result"], 3);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn what_is_quarantined_takes_its_way_back_along() {
    let cli = Cli::new();
    replaced(&cli);
    let wasm = cli.root().join("components/tool/tool.wasm");
    let mut bytes = fs::read(&wasm).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&wasm, bytes).unwrap();
    assert_eq!(cli.run(["cache", "verify", "--repair"]).code, 0);

    let aside: Vec<_> = fs::read_dir(cli.root().join("quarantine"))
        .unwrap()
        .collect();
    assert_eq!(aside.len(), 1);
    let kept = aside[0].as_ref().unwrap().path().join("previous/tool.wasm");
    assert_eq!(fs::read(kept).unwrap(), binary(&code(1)));
    load_from_another_source(&cli);
    assert_no_way_back(&cli);
}

#[test]
fn a_way_back_to_another_source_is_not_taken() {
    let cli = Cli::new();
    replaced(&cli);
    let (kept, aside) = (cli.root().join("previous/tool"), cli.root().join("aside"));
    copy(&kept, &aside);
    cli.json(["unload", "tool"]);
    load_from_another_source(&cli);
    copy(&aside, &kept);
    assert_no_way_back(&cli);
}

#[test]
fn a_way_back_to_nothing_installed_is_swept_and_said_to_be() {
    let cli = Cli::new();
    replaced(&cli);
    let (kept, aside) = (cli.root().join("previous/tool"), cli.root().join("aside"));
    copy(&kept, &aside);
    cli.json(["unload", "tool"]);
    copy(&aside, &kept);
    let other = cli.file("other.wat", code(3));
    let loaded = cli.run(["load", "--uri", other.to_str().unwrap()]);
    assert!(loaded.stderr.contains("previous/tool"), "{}", loaded.stderr);
    assert!(!kept.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_of_the_same_code_has_a_way_back_too() {
    let wasm = binary(&code(1));
    let request = "version: \"1.0\"\npermissions: {environment: {allow: [{key: CITY}]}}\n";
    let plain = Artifact::new(&[(WASM, &wasm)]);
    let asking = Artifact::new(&[(WASM, &wasm), (POLICY, request.as_bytes())]);
    let content = Arc::new(Mutex::new(Honest::new(&plain)));
    let served = content.clone();
    let registry = Faults::start(move |seen| served.lock().unwrap().answer(seen)).await;
    let uri = registry.reference("tool:v1");
    let run = async |args: &[&str], cli: &Arc<Cli>| {
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        let cli = cli.clone();
        let json = tokio::task::spawn_blocking(move || cli.json(args));
        json.await.unwrap()
    };
    let cli = Arc::new(Cli::new());
    run(&["load", "--uri", &uri], &cli).await;
    *content.lock().unwrap() = Honest::new(&asking);
    run(&["update", "tool", "--accept"], &cli).await;
    let back = run(&["rollback", "tool"], &cli).await;
    assert_eq!(back["before"]["manifest"], json!(asking.digest()));
    assert_eq!(back["now"]["manifest"], json!(plain.digest()));
}
