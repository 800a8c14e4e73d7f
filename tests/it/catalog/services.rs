//! Catalogs that search services and the registry of MCP servers answer.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::registry;
use crate::support::artifact::Artifact;
use crate::support::cli::Cli;
use crate::support::faults::{Faults, Seen};
use crate::support::registry::Registry;

/// More entries than a service may have.
const ENDLESS: usize = 20_000;

/// The value of a number in the query.
fn number(seen: &Seen, key: &str) -> usize {
    let (_, query) = seen.target.split_once('?').unwrap_or_default();
    let mut parameters = query.split('&').filter_map(|one| one.split_once('='));
    let found = parameters.rfind(|(name, _)| *name == key);
    found.map_or(0, |(_, value)| value.parse().unwrap())
}

/// Answers as a search service does, never more than 60 at once.
async fn service(packages: Vec<Value>) -> Faults {
    Faults::start(move |seen| {
        let matching: Vec<&Value> = match seen.target.split_once('?') {
            Some(("/v1/packages", _)) => packages.iter().collect(),
            Some(("/v1/search", query)) if query.starts_with("q=calc&") => packages
                .iter()
                .filter(|package| package.to_string().contains("calc"))
                .collect(),
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        let page = matching.into_iter().skip(number(seen, "offset"));
        let page: Vec<&Value> = page.take(number(seen, "limit").min(60)).collect();
        Json(json!(page)).into_response()
    })
    .await
}

fn package(registry: &str, repository: &str, description: &str) -> Value {
    json!({
        "registry": registry, "repository": repository, "kind": "component",
        "description": description, "tags": ["v1"], "signature_tags": [],
        "last_seen_at": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
    })
}

fn names(found: &Value) -> Vec<String> {
    let found = found["components"].as_array().unwrap().iter();
    found
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

fn configured() -> Cli {
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).unwrap();
    std::fs::write(cli.root().join("config.toml"), "[network]\nretries = 0\n").unwrap();
    cli
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_service_is_searched_and_its_names_are_loaded() {
    let registry = registry().await;
    let mut packages: Vec<Value> = (0..150)
        .map(|n| package("registry.example", &format!("acme/tool-{n}"), "A tool"))
        .collect();
    packages.push(package(registry.address(), "calc", "Adds\u{202e} numbers"));
    let mut interface = package("registry.example", "acme/types", "No component");
    interface["kind"] = json!("interface");
    packages.push(interface);
    let server = service(packages).await;
    let cli = configured();
    let added = cli.json(["registry", "add", &server.url("")]);
    assert_eq!(added["catalogs"][0]["components"], 151, "{added}");
    let found = cli.json(["registry", "search", "--exact", "calc"]);
    assert_eq!(names(&found), ["calc"]);
    assert_eq!(found["components"][0]["description"], "Adds numbers");
    let catalog = found["components"][0]["catalog"].as_str().unwrap();
    assert!(catalog.starts_with("http://127.0.0.1:"), "{catalog}");
    let shown = cli.run(["registry", "search", "--exact", "calc"]).stdout;
    assert!(shown.contains("is not verified"), "{shown}");
    assert_eq!(cli.json(["load", "calc"])["component_id"], "calc");

    // What one question finds is a catalog, too.
    let one = configured();
    let added = one.json(["registry", "add", &server.url("/v1/search?q=calc")]);
    assert_eq!(added["catalogs"][0]["components"], 1, "{added}");

    // It is here although the service is not.
    drop(server);
    let updated = cli.run(["registry", "update"]);
    assert_eq!(updated.code, 4, "{}", updated.stderr);
    let found = cli.json(["--offline", "registry", "search", "--exact", "tool-149"]);
    assert_eq!(names(&found), ["tool-149"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_service_is_bounded_or_refused() {
    let cli = configured();
    let endless = Faults::start(|seen| {
        let from = number(seen, "offset");
        assert!(from < ENDLESS, "asked for ever more");
        let page = (from..from + 100).map(|n| package("r.example", &format!("a/t-{n}"), "A tool"));
        Json(json!(page.collect::<Vec<_>>())).into_response()
    })
    .await;
    let added = cli.json(["registry", "add", &endless.url("")]);
    assert_eq!(added["catalogs"][0]["components"], 10_000, "{added}");
    let same = Faults::start(|_| Json(json!([package("r.example", "a/b", "A")])).into_response());
    let added = cli.json(["registry", "add", &same.await.url("")]);
    assert_eq!(added["catalogs"][0]["components"], 1, "{added}");
    for (answer, code) in [
        ("<html>", "invalid-catalog"),
        ("{\"packages\": 7}", "invalid-catalog"),
    ] {
        let server = Faults::start(move |_| -> Response { answer.into_response() }).await;
        let failed = cli.run(["registry", "add", &server.url(""), "-o", "json"]);
        assert_ne!(failed.code, 0);
        assert!(failed.stderr.contains(code), "{}", failed.stderr);
    }
    let failing = Faults::start(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    assert_eq!(cli.run(["registry", "add", &failing.url("")]).code, 4);
}

/// A `server.json` with one artifact.
fn server_json(name: &str, registry: &Registry, artifact: &str) -> Value {
    json!({
        "name": format!("io.github.acme/{name}"), "description": format!("What {name} does"),
        "version": "1.0.0",
        "packages": [
            { "registryType": "npm", "identifier": "@acme/x", "version": "1.0.0" },
            { "registryType": "oci", "identifier": format!("{}/{artifact}", registry.address()) },
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_mcp_are_entries_where_they_are_components() {
    let registry = registry().await;
    let image = Artifact::with_config(
        "application/vnd.oci.image.config.v1+json",
        b"{}".to_vec(),
        &[("application/vnd.oci.image.layer.v1.tar", b"a container")],
    );
    registry.push("image", "v1", &image).await;
    let wrapped = |name: &str, artifact: &str| json!({ "server": server_json(name, &registry, artifact), "_meta": {} });
    let first = json!({
        "servers": [wrapped("container", "image:v1"), wrapped("absent", "absent:v1")],
        "metadata": { "nextCursor": "two" },
    });
    let second = json!({ "servers": [wrapped("adder", "calc:v1")], "metadata": { "count": 1 } });
    let alone = server_json("alone", &registry, "calc:v1");
    let server = Faults::start(move |seen| match seen.target.as_str() {
        "/v0/servers?limit=100" => Json(first.clone()).into_response(),
        "/v0/servers?cursor=two&limit=100" => Json(second.clone()).into_response(),
        "/server.json" => Json(alone.clone()).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    for (path, name) in [("/v0/servers", "adder"), ("/server.json", "alone")] {
        let cli = configured();
        let added = cli.json(["registry", "add", &server.url(path)]);
        assert_eq!(added["catalogs"][0]["components"], 1, "{added}");
        let found = cli.json(["registry", "get", name]);
        assert_eq!(
            found["components"][0]["uri"],
            json!(registry.reference("calc:v1"))
        );
        assert_eq!(cli.json(["load", name])["component_id"], "calc");
    }
}
