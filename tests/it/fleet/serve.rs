//! A server whose root matches a manifest before it is ready.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;

use rmcp::model::ProtocolVersion;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Semaphore;

use super::{Fleet, code};
use crate::support::artifact::{Artifact, WASM};
use crate::support::components::binary;
use crate::support::faults::{Faults, Honest};
use crate::support::mcp::{Place, install_tls};
use crate::support::wait::{until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_provisions_its_root_and_starts_again_without_the_registry() {
    let fleet = Fleet::new();
    fleet.push("a", "v1", &code(1)).await;
    let manifest = fleet.manifest("components: [{uri: 'oci://R/a:v1', permissions: {}}]\n");
    let place = Place::new();
    let args = ["--manifest", manifest.to_str().unwrap()];
    let server = place.http(&args).await;
    let ready = reqwest::get(server.at("/readyz")).await.unwrap();
    assert_eq!(ready.status(), 200);
    let client = server.client(ProtocolVersion::LATEST_WITH_INITIALIZE).await;
    assert!(client.tool_names().await.contains(&"version".to_owned()));
    drop((client, server));
    assert!(fs::exists(fleet.cli.file_path("wassette.lock")).unwrap());
    drop(fleet.registry);
    let server = place.http(&args).await;
    let client = server.client(ProtocolVersion::LATEST_WITH_INITIALIZE).await;
    assert!(client.tool_names().await.contains(&"version".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_lock_and_registry_what_is_installed_stands_for_it() {
    let fleet = Fleet::new();
    fleet.push("a", "v1", &code(1)).await;
    let manifest = fleet.manifest("components: [{uri: 'oci://R/a:v1'}]\n");
    let place = Place::new();
    let args = ["--manifest", manifest.to_str().unwrap()];
    drop(place.http(&args).await);
    fs::remove_file(fleet.cli.file_path("wassette.lock")).unwrap();
    place.configure("[network]\nretries = 0\n");
    drop(fleet.registry);
    let server = place.http(&args).await;
    let client = server.client(ProtocolVersion::LATEST_WITH_INITIALIZE).await;
    assert!(client.tool_names().await.contains(&"version".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_follows_its_manifest() {
    let cli = crate::support::cli::Cli::new();
    for (name, version) in [("a", 1), ("b", 2)] {
        let named = format!("(func (export \"{name}\") (result u32)");
        let text = code(version).replace("(func (export \"version\") (result u32)", &named);
        cli.file(&format!("{name}.wat"), text);
    }
    let one = "components: [{uri: ./a.wat}]\n";
    let manifest = cli.file("fleet.yaml", one);
    let place = Place::new();
    let args = ["--manifest", manifest.to_str().unwrap(), "--watch"];
    let server = place.http(&args).await;
    let client = server.client(ProtocolVersion::LATEST_WITH_INITIALIZE).await;
    // A manifest that cannot be applied changes nothing.
    cli.file("fleet.yaml", "components: [{uri: ./absent.wat}]\n");
    until("the failure is logged", || {
        server
            .log()
            .iter()
            .any(|line| line.contains("everything stays as it is"))
    })
    .await;
    cli.file(
        "fleet.yaml",
        "components: [{uri: ./a.wat}, {uri: ./b.wat}]\n",
    );
    let both = async {
        while client
            .tool_names()
            .await
            .iter()
            .filter(|name| ["a", "b"].contains(&name.as_str()))
            .count()
            < 2
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within("both are offered", both).await;
}

#[test]
fn a_server_with_a_bad_manifest_does_not_start() {
    let cli = crate::support::cli::Cli::new();
    let manifest = cli.file("fleet.yaml", "components: [{uri: ./absent.wasm}]\n");
    let ended = cli.run(["serve", "--manifest", manifest.to_str().unwrap()]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("`absent`: "), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_alive_but_not_ready_while_it_provisions() {
    install_tls();
    let honest = Honest::new(&Artifact::new(&[(WASM, &binary(&code(1)))]));
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let source = Faults::start_async(move |seen| {
        let (honest, held) = (honest.clone(), held.clone());
        async move {
            if seen.target.contains("/blobs/") {
                // Once it is open, it stays so.
                drop(held.acquire().await);
            }
            honest.answer(&seen)
        }
    })
    .await;
    let cli = crate::support::cli::Cli::new();
    let text = format!("components: [{{uri: '{}'}}]\n", source.reference("a:v1"));
    let manifest = cli.file("fleet.yaml", text);
    let place = Place::new();
    let options = ["--transport", "sse", "--bind", "127.0.0.1:0", "--manifest"];
    let mut command = place.command(&options);
    command
        .arg(manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut told = async |text: &str| loop {
        let line = within(text, log.next_line()).await.unwrap();
        if let Some((_, rest)) = line.expect("the server ended").split_once(text) {
            return rest.trim().to_owned();
        }
    };
    let url = told("starting on ").await;
    let status = async |path: &str| {
        let answer = within(path, reqwest::get(format!("{url}{path}"))).await;
        answer.unwrap().status().as_u16()
    };
    assert_eq!(status("/healthz").await, 200);
    assert_eq!(status("/readyz").await, 503);
    assert_eq!(status("/mcp").await, 503);
    gate.add_permits(1);
    assert_eq!(told("listening on ").await, url);
    assert_eq!(status("/healthz").await, 200);
    assert_eq!(status("/readyz").await, 200);
}
