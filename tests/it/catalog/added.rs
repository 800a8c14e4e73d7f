//! Catalogs in addition to the bundled one.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{document, entry, registry};
use crate::support::artifact::Artifact;
use crate::support::certificates::Certificates;
use crate::support::cli::Cli;
use crate::support::mcp::{CALC, Place};
use crate::support::tls::{Clients, SecureServer};

fn names(found: &Value) -> Vec<&str> {
    let found = found["components"].as_array().unwrap().iter();
    found.map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn a_file_is_searched_and_its_names_are_loaded() {
    let cli = Cli::new();
    let component = cli.file("calc.wat", CALC);
    let uri = format!("file://{}", component.display());
    let ours = [
        entry("our-calculator", &uri),
        // The bundled catalog has an entry of this name, which comes first.
        entry("github-js", &uri),
    ];
    cli.file("ours.json", document(&ours));
    let added = cli.json(["registry", "add", "ours.json"]);
    assert_eq!(added["catalogs"][0]["components"], 2, "{added}");
    // It is listed once, however often it is added.
    cli.json(["registry", "add", "./ours.json"]);
    let updated = cli.json(["registry", "update"]);
    assert_eq!(updated["catalogs"].as_array().unwrap().len(), 1);

    let found = cli.json(["registry", "search", "calculater"]);
    assert_eq!(names(&found), ["our-calculator"]);
    let catalog = found["components"][0]["catalog"].as_str().unwrap();
    assert!(catalog.ends_with("/ours.json"), "{catalog}");
    let shown = cli.run(["registry", "search", "calculator"]).stdout;
    assert!(shown.contains("is not verified"), "{shown}");
    let got = cli.json(["registry", "get", "github-js"]);
    assert_eq!(got["components"][0]["catalog"], "bundled");
    let loaded = cli.json(["load", "our-calculator"]);
    assert_eq!(loaded["component_id"], "calc", "{loaded}");

    // The digest in the catalog is enforced.
    let mut pinned = entry("pinned", &uri);
    pinned["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    cli.file("ours.json", document(&[pinned]));
    let refused = cli.run(["load", "pinned"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    // A file is read each time.
    cli.file("ours.json", document(&[entry("another", &uri)]));
    assert_eq!(
        names(&cli.json(["registry", "search", "another"])),
        ["another"]
    );
    let removed = cli.json(["registry", "remove", "ours.json"]);
    assert!(removed["removed"].is_string(), "{removed}");
    assert_eq!(cli.run(["load", "another"]).code, 3);
    let unknown = cli.run(["registry", "remove", "ours.json", "-o", "json"]);
    assert_eq!(unknown.code, 3);
    assert!(
        unknown.stderr.contains("unknown-catalog"),
        "{}",
        unknown.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_one_that_agents_search_too() {
    let registry = registry().await;
    let catalog = document(&[entry("our-calculator", &registry.reference("calc:v1"))]);
    let artifact = Artifact::new(&[("application/json", catalog.as_bytes())]);
    registry.push("catalog", "v1", &artifact).await;
    let place = Place::new();
    let reference = registry.reference("catalog:v1");
    let add = place.wassette(&["registry", "add", &reference]);
    assert!({ add }.output().await.unwrap().status.success());
    let client = place.stdio().await;
    let query = json!({ "query": "our calculator" });
    let found = client.call("search-components", query).await;
    let found = found.structured_content.unwrap();
    assert_eq!(found["components"][0]["catalog"], json!(reference));
    let loaded = client.load("our-calculator").await;
    assert_eq!(loaded["component_id"], "calc", "{loaded}");
    // The copy is used although the registry is gone.
    drop(registry);
    let found = client.call("search-components", json!({})).await;
    let found = found.structured_content.unwrap();
    assert!(names(&found).contains(&"our-calculator"));

    // An artifact with several layers is not a catalog.
    let registry = super::registry().await;
    let two = Artifact::new(&[("application/json", b"[]"), ("text/plain", b"x")]);
    registry.push("catalog", "v2", &two).await;
    let reference = registry.reference("catalog:v2");
    let add = place.wassette(&["registry", "add", &reference]);
    let failed = { add }.output().await.unwrap();
    assert_eq!(failed.status.code(), Some(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_an_address_is_used_until_it_is_fetched_anew() {
    let certificates = Certificates::self_signed();
    let uri = "oci://registry.example/tool:v1";
    let catalog = document(&[entry("remote-tool", uri)]);
    let server = SecureServer::of(&certificates, catalog.into_bytes()).await;
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).unwrap();
    let ca = certificates.file("server.pem");
    let config = format!("[network]\nca = [{ca:?}]\nretries = 0\n");
    std::fs::write(cli.root().join("config.toml"), config).unwrap();
    let url = server.url("/catalog.json");
    let run = async |args: &[&str]| {
        let mut command = cli.command();
        command.args(args);
        let work = move || crate::support::cli::ended(command);
        tokio::task::spawn_blocking(work).await.unwrap()
    };
    let added = run(&["registry", "add", &url]).await;
    assert_eq!(added.code, 0, "{}", added.stderr);
    let wrong = format!("{url}#sha256={}", "0".repeat(64));
    let wrong = run(&["registry", "add", &wrong]).await;
    assert_eq!(wrong.code, 5, "{}", wrong.stderr);
    let offline = run(&["--offline", "registry", "update"]).await;
    assert_eq!(offline.code, 4, "{}", offline.stderr);
    assert!(
        offline.stdout.contains("catalog.json"),
        "{}",
        offline.stdout
    );
    let found = run(&["--offline", "registry", "search", "remote-tool"]).await;
    assert!(found.stdout.contains(uri), "{}", found.stdout);
    let updated = run(&["registry", "update"]).await;
    assert_eq!(updated.code, 0, "{}", updated.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_read_again_only_when_it_has_another_version() {
    let certificates = Certificates::self_signed();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let version = Arc::new(Mutex::new(1));
    let (requests, now) = (seen.clone(), version.clone());
    let answer = move |headers: HeaderMap| async move {
        let version = *now.lock().unwrap();
        let tag = format!("\"v{version}\"");
        let asked = headers
            .get("if-none-match")
            .map(|tag| tag.to_str().unwrap().to_owned());
        requests.lock().unwrap().push(asked.clone());
        if asked.as_ref() == Some(&tag) {
            return Err(StatusCode::NOT_MODIFIED);
        }
        let name = format!("tool-{version}");
        let body = document(&[entry(&name, "oci://registry.example/tool:v1")]);
        Ok(([("etag", tag)], body))
    };
    let router = Router::new().fallback(answer);
    let server = SecureServer::start(&certificates, Clients::Anyone, router).await;
    let cli = Cli::new();
    std::fs::create_dir_all(cli.root()).unwrap();
    let ca = certificates.file("server.pem");
    let config = format!("[network]\nca = [{ca:?}]\nretries = 0\n");
    std::fs::write(cli.root().join("config.toml"), config).unwrap();
    let url = server.url("/catalog.json");
    let (cli, added) = (Arc::new(cli), url.clone());
    let run = async |args: &[&str]| {
        let mut command = cli.command();
        command.args(args).args(["-o", "json"]);
        let work = move || crate::support::cli::ended(command);
        let ended = tokio::task::spawn_blocking(work).await.unwrap();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()
    };
    run(&["registry", "add", &added]).await;
    let updated = run(&["registry", "update"]).await;
    assert_eq!(updated["catalogs"][0]["components"], 1, "{updated}");
    let search = ["registry", "search", "--exact", "tool-"];
    assert_eq!(names(&run(&search).await), ["tool-1"]);
    *version.lock().unwrap() = 2;
    run(&["registry", "update"]).await;
    assert_eq!(names(&run(&search).await), ["tool-2"]);
    let cleared = run(&["cache", "clear", "--catalogs"]).await;
    assert_eq!(cleared["catalogs"], 1);
    assert!(names(&run(&search).await).is_empty());
    run(&["registry", "update"]).await;
    assert_eq!(names(&run(&search).await), ["tool-2"]);
    // A damaged copy is fetched again.
    for file in std::fs::read_dir(cli.root().join("catalogs")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "json") {
            std::fs::write(path, "[").unwrap();
        }
    }
    run(&["registry", "update"]).await;
    assert_eq!(names(&run(&search).await), ["tool-2"]);
    let tag = |text: &str| Some(text.to_owned());
    let asked = [None, tag("\"v1\""), tag("\"v1\""), None, None];
    assert_eq!(*seen.lock().unwrap(), asked);
}

#[test]
fn what_a_catalog_says_is_made_harmless() {
    let cli = Cli::new();
    let mut odd = entry("odd", "oci://registry.example/odd:v1");
    odd["description"] = json!(format!("a\u{202e}\u{1b}[31mb{}", "x".repeat(5000)));
    let entries = [
        odd,
        entry("unseen\u{200b}", "oci://registry.example/a:v1"),
        entry("no uri", "a.wasm"),
        json!({ "name": "nothing" }),
        json!(7),
    ];
    cli.file("odd.json", format!("\u{feff}{}", document(&entries)));
    let added = cli.json(["registry", "add", "odd.json"]);
    assert_eq!(added["catalogs"][0]["components"], 1, "{added}");
    assert_eq!(added["catalogs"][0]["left_out"], 4, "{added}");
    let got = cli.json(["registry", "get", "odd"]);
    let description = got["components"][0]["description"].as_str().unwrap();
    assert!(description.starts_with("a[31mb"), "{description}");
    assert_eq!(description.chars().count(), 1000);

    for (text, code) in [("<html>", "invalid-catalog"), ("[", "invalid-catalog")] {
        cli.file("bad.json", text);
        let error = cli.run(["registry", "add", "bad.json", "-o", "json"]);
        assert_eq!(error.code, 2, "{}", error.stderr);
        assert!(error.stderr.contains(code), "{}", error.stderr);
    }
    cli.file("large.json", vec![b' '; (16 << 20) + 1]);
    assert_ne!(cli.run(["registry", "add", "large.json"]).code, 0);
    assert_eq!(cli.run(["registry", "add", "absent.json"]).code, 3);
    // An invalid list is reported; a missing list is empty.
    std::fs::write(cli.root().join("catalogs.json"), "{").unwrap();
    let error = cli.run(["registry", "list"]);
    assert!(error.stderr.contains("catalogs.json"), "{}", error.stderr);
    std::fs::remove_file(cli.root().join("catalogs.json")).unwrap();
    assert_eq!(cli.run(["registry", "list"]).code, 0);
}
