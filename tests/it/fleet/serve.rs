//! A server whose root matches a manifest before it is ready.

use std::fs;

use rmcp::model::ProtocolVersion;

use super::{Fleet, code};
use crate::support::mcp::Place;
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
