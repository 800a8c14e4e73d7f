//! Components by the names of their packages, as `wkg` publishes and finds them.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use rmcp::model::ProtocolVersion;
use serde_json::{Value, json};
use wassette::digest::Digest;

use super::{Fleet, actions, code, pairs, refused};
use crate::support::artifact::{Artifact, WASM};
use crate::support::cli::{Cli, ended};
use crate::support::components::binary;
use crate::support::mcp::{Client, Ear, Place};

/// Answers every request on a loopback port; returns `host:port`.
async fn server(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A registry of packages that says this of itself.
async fn described(description: Value) -> String {
    let answer = async move || Json(description);
    server(Router::new().route(
        "/.well-known/wasm-pkg/registry.json",
        axum::routing::get(answer),
    ))
    .await
}

/// Where `wkg` of this user looks for its configuration.
fn configuration(cli: &Cli, text: &str) -> PathBuf {
    let directory = cli.root().with_file_name(".config/wasm-pkg");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("config.toml");
    fs::write(&file, text).unwrap();
    file
}

impl Fleet {
    /// Publishes a version as `wkg publish` does.
    async fn publish(&self, repository: &str, version: &str, number: u32) -> Digest {
        let mut artifact = Artifact::new(&[(WASM, &binary(&code(number)))]);
        let title = json!({ "org.opencontainers.image.title": "weather.wasm" });
        artifact.manifest["layers"][0]["annotations"] = title;
        let annotations = json!({ "org.opencontainers.image.version": version });
        artifact.manifest["annotations"] = annotations;
        self.registry.push(repository, version, &artifact).await
    }

    /// A fleet whose user has the packages of `acme` below `packages/`.
    async fn with_packages() -> Self {
        let fleet = Fleet::new();
        let oci = json!({ "registry": fleet.registry.address(), "namespacePrefix": "packages/" });
        let acme = described(json!({ "oci": oci })).await;
        configuration(
            &fleet.cli,
            &format!("[namespace_registries]\nacme = \"{acme}\"\n"),
        );
        for (version, number) in [("1.2.0", 1), ("1.10.0", 2), ("2.0.0", 3)] {
            fleet
                .publish("packages/acme/weather", version, number)
                .await;
        }
        fleet
            .push("packages/acme/weather", "latest", &code(9))
            .await;
        fleet
    }

    fn artifact(&self, version: &str) -> String {
        let name = format!("packages/acme/weather:{version}");
        self.registry.reference(&name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_loaded_updated_and_inspected_by_its_name() {
    let fleet = Fleet::with_packages().await;
    let loaded = fleet.json(&["load", "acme:weather@^1.2"]);
    assert_eq!(loaded["component_id"], "weather", "{loaded}");
    assert_eq!(loaded["source"], json!(fleet.artifact("1.10.0")));
    let shown = fleet.run(&["load", "acme:weather@^1.2"]);
    assert!(shown.stdout.contains("1.10.0"), "{}", shown.stdout);
    let again = fleet.json(&["load", "acme:weather@~1.10"]);
    assert_eq!(again["status"], "already-loaded", "{again}");
    // Without a network, the name stands for what it stood for.
    let offline = fleet.json(&["--offline", "load", "acme:weather@^1.2"]);
    assert_eq!(offline["status"], "already-loaded", "{offline}");
    for (name, version) in [("acme:weather", "2.0.0"), ("acme:weather@1.2.0", "1.2.0")] {
        let inspected = fleet.json(&["inspect", name]);
        assert_eq!(
            inspected["source"],
            json!(fleet.artifact(version)),
            "{name}"
        );
    }
    let explained = fleet.json(&["trust", "explain", "acme:weather@1"]);
    assert_eq!(explained["reference"], json!(fleet.artifact("1.10.0")));

    // An update is the highest version of the range by now.
    assert_eq!(
        fleet.json(&["outdated"])["components"][0]["status"],
        "current"
    );
    fleet.publish("packages/acme/weather", "1.11.0", 4).await;
    let outdated = fleet.json(&["outdated"]);
    assert_eq!(
        outdated["components"][0]["status"], "outdated",
        "{outdated}"
    );
    let updated = fleet.json(&["update", "weather"]);
    assert_eq!(updated["components"][0]["status"], "updated", "{updated}");
    assert!(super::state(&fleet.cli).contains(&fleet.artifact("1.11.0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_not_found_says_what_there_is() {
    let fleet = Fleet::with_packages().await;
    for (name, code, hint) in [
        ("acme:weather@^3", "package-not-found", "`2.0.0`, `1.10.0`"),
        ("acme:absent", "package-not-found", "check the name"),
        (
            "other:weather",
            "no-package-registry",
            "namespace_registries",
        ),
        ("acme:weather@latest", "invalid-reference", "namespace:name"),
    ] {
        let error = refused(&fleet.cli, &["load", name]);
        assert_eq!(error["code"], code, "{error}");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
    }
    let file = configuration(&fleet.cli, "namespace_registries = 7\n");
    let error = refused(&fleet.cli, &["load", "acme:weather"]);
    assert_eq!(error["code"], "invalid-config");
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );

    let other = described(json!({ "preferredProtocol": "warg", "warg": {} })).await;
    let odd = described(json!({ "oci": { "registry": "not a host" } })).await;
    let page = Router::new().fallback(async || "<html>");
    // One that describes itself with a page is an OCI registry itself.
    let page = server(page).await;
    let broken = server(Router::new().fallback(async || StatusCode::NOT_IMPLEMENTED)).await;
    let huge = described(json!({ "x": "x".repeat(100_000) })).await;
    for (registry, code) in [
        (other, "unsupported-package-registry"),
        (odd, "invalid-package-registry"),
        (page, "oci-pull-failed"),
        (broken, "oci-pull-failed"),
        (huge, "too-large"),
    ] {
        configuration(&fleet.cli, &format!("default_registry = \"{registry}\"\n"));
        // A warning may come before the error.
        let ended = fleet.run(&["load", "acme:weather", "-o", "json"]);
        let told = format!("\"code\": \"{code}\"");
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_held_to_the_version_that_its_lock_names() {
    let fleet = Fleet::with_packages().await;
    fleet.manifest("components: [{uri: 'acme:weather@^1.2', permissions: {}}]\n");
    let told = fleet.apply(&[]);
    assert_eq!(actions(&told), pairs(&[("weather", "install")]));
    assert_eq!(
        told["components"][0]["source"],
        json!(fleet.artifact("1.10.0"))
    );
    let artifact = format!("artifact = \"{}\"", fleet.artifact("1.10.0"));
    assert!(fleet.lock().contains(&artifact), "{}", fleet.lock());
    fleet.publish("packages/acme/weather", "1.11.0", 4).await;
    assert_eq!(fleet.apply(&["--locked"])["status"], "unchanged");
    let elsewhere = fleet.json(&["--root", "elsewhere", "apply", "-f", "fleet.yaml"]);
    assert_eq!(
        elsewhere["components"][0]["source"],
        json!(fleet.artifact("1.10.0"))
    );
    fleet.json(&["lock", "-f", "fleet.yaml", "--upgrade"]);
    assert!(fleet.lock().contains(&fleet.artifact("1.11.0")));
    assert_eq!(actions(&fleet.apply(&[])), pairs(&[("weather", "replace")]));

    // Nothing is asked for what is installed as the lock says.
    let Fleet { cli, registry } = fleet;
    drop(registry);
    configuration(&cli, "");
    let told = cli.json(["apply", "-f", "fleet.yaml", "--locked"]);
    assert_eq!(told["status"], "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_sources_are_about_the_artifact() {
    let fleet = Fleet::with_packages().await;
    let host = fleet.registry.address().to_owned();
    let rule = format!("[[trust]]\nscope = \"{host}/packages/*\"\nrequire = \"digest\"\n");
    fs::create_dir_all(fleet.cli.root()).unwrap();
    let config = fleet.cli.root().join("config.toml");
    fs::write(&config, rule).unwrap();
    let error = refused(&fleet.cli, &["load", "acme:weather@^1.2"]);
    assert_eq!(error["code"], "digest-required", "{error}");
    fs::remove_file(config).unwrap();

    let wkg = fleet
        .cli
        .root()
        .with_file_name(".config/wasm-pkg/config.toml");
    for (sources, loads) in [("other", false), ("packages/acme", true)] {
        let place = Place::new();
        place.configure(&format!(
            "[agents]\nsources = [\"oci://{host}/{sources}/*\"]\n"
        ));
        let mut command = place.command(&["--transport", "stdio"]);
        command.env("WKG_CONFIG_FILE", &wkg);
        let ear = Ear::new(ProtocolVersion::LATEST_WITH_INITIALIZE);
        let client = Client::of(command, ear).await;
        let arguments = json!({ "uri": "acme:weather@^1.2" });
        let answer = client.call("load-component", arguments).await;
        let told = answer.structured_content.clone().unwrap_or_default();
        match loads {
            true => assert_eq!(
                told["source"],
                json!(fleet.artifact("1.10.0")),
                "{answer:?}"
            ),
            false => {
                assert_eq!(answer.is_error, Some(true));
                assert!(
                    format!("{answer:?}").contains("source-not-allowed"),
                    "{answer:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_wkg_are_shown_to_their_registry() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shown = seen.clone();
    let registry = async move |headers: HeaderMap, request: Request| -> Response {
        if request.uri().path().starts_with("/.well-known/") {
            assert!(!headers.contains_key(header::AUTHORIZATION));
            return StatusCode::NOT_FOUND.into_response();
        }
        match headers.get(header::AUTHORIZATION) {
            None => {
                let challenge = "Bearer realm=\"http://127.0.0.1:1/token\",service=\"r\"";
                let headers = [(header::WWW_AUTHENTICATE, challenge)];
                (StatusCode::UNAUTHORIZED, headers).into_response()
            }
            Some(token) => {
                let token = token.to_str().unwrap().to_owned();
                shown
                    .lock()
                    .unwrap()
                    .push((request.uri().path().to_owned(), token));
                Json(json!({ "name": "acme/weather", "tags": [] })).into_response()
            }
        }
    };
    let host = server(Router::new().fallback(registry)).await;
    let cli = Cli::new();
    configuration(&cli, &format!("default_registry = \"{host}\"\n"));
    let variable = format!("WKG_REGISTRY_{}_AUTH_BEARER", host.replace(['.', ':'], "_"));
    let mut command = cli.command();
    command
        .env(variable, "t0ken-of-wkg")
        .args(["load", "acme:weather"]);
    let failed = tokio::task::spawn_blocking(|| ended(command))
        .await
        .unwrap();
    assert_eq!(failed.code, 3, "{}", failed.stderr);
    let shown = seen.lock().unwrap().clone();
    let tags = "/v2/acme/weather/tags/list".to_owned();
    assert_eq!(shown, [(tags, "Bearer t0ken-of-wkg".to_owned())]);
    assert!(!failed.stderr.contains("t0ken"), "{}", failed.stderr);
}
