//! Applies a manifest: once, all or nothing, with its permissions.

use std::fs;

use serde_json::{Value, json};

use super::{Fleet, actions, code, granted, pairs, state};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::wat::WIDER;

/// The manifest of the documents, with another registry.
const SEED: &str = "\
version: 1
components:
  - uri: oci://R/microsoft/get-weather-js:latest
    name: weather-service
    permissions:
      network:
        allow:
          - host: api.openweathermap.org
      environment:
        allow:
          - key: OPENWEATHER_API_KEY

  - uri: oci://R/microsoft/github-js:latest
    name: github-api
    permissions:
      network:
        allow:
          - host: api.github.com
      environment:
        allow:
          - key: GITHUB_TOKEN
";

async fn seed() -> Fleet {
    let fleet = Fleet::new();
    fleet
        .push("microsoft/get-weather-js", "latest", &code(1))
        .await;
    fleet.push("microsoft/github-js", "latest", &code(2)).await;
    fleet.manifest(SEED);
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_manifest_lists_is_installed_with_its_permissions_once() {
    let fleet = seed().await;
    let told = fleet.apply(&[]);
    assert_eq!(told["status"], "applied");
    let installs = pairs(&[("weather-service", "install"), ("github-api", "install")]);
    assert_eq!(actions(&told), installs);
    let hosts = granted(&fleet.cli, "weather-service");
    assert_eq!(
        hosts,
        pairs(&[
            (
                r#"{"network":{"host":"api.openweathermap.org"}}"#,
                "manifest"
            ),
            (
                r#"{"environment":{"key":"OPENWEATHER_API_KEY"}}"#,
                "manifest"
            ),
        ])
    );
    let (before, lock) = (state(&fleet.cli), fleet.lock());
    assert!(fleet.cli.is_tidy() && !fleet.cli.root().join("change.json").exists());
    // The second `apply` finds nothing to do, and sends no request.
    let Fleet { cli, registry } = fleet;
    drop(registry);
    let again = cli.json(["apply", "-f", "fleet.yaml"]);
    assert_eq!(again["status"], "unchanged");
    assert_eq!(
        actions(&again),
        pairs(&[("weather-service", "keep"), ("github-api", "keep")])
    );
    let ended = cli.run(["apply", "-f", "fleet.yaml"]);
    assert_eq!(
        ended.stdout,
        "No changes: all 2 components are as the manifest says.\n"
    );
    assert_eq!(state(&cli), before);
    assert_eq!(
        fs::read_to_string(cli.file_path("wassette.lock")).unwrap(),
        lock
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_shown_and_a_dry_run_changes_nothing() {
    let fleet = seed().await;
    let ended = fleet.run(&["apply", "-f", "fleet.yaml", "--dry-run"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for line in [
        "+ weather-service is installed\n",
        "  tools version\n",
        "  + may connect to `api.openweathermap.org`",
        "Plan: 2 to install.\nNothing was done.",
    ] {
        assert!(ended.stdout.contains(line), "{line}\n{}", ended.stdout);
    }
    assert_eq!(fleet.json(&["list"]), json!({"components": []}));
    assert!(!fleet.cli.file_path("wassette.lock").exists());
    let ended = fleet.run(&["apply", "-f", "fleet.yaml"]);
    assert!(
        ended.stdout.contains("\n\nDone: 2 installed.\nWrote "),
        "{}",
        ended.stdout
    );
}

#[test]
fn twenty_components_are_installed_together_and_kept() {
    let cli = Cli::new();
    let mut manifest = "components:\n".to_owned();
    for nth in 0..20 {
        cli.file(&format!("c{nth}.wasm"), binary(&code(nth)));
        manifest.push_str(&format!("- {{uri: ./c{nth}.wasm, permissions: {{}}}}\n"));
    }
    cli.file("fleet.yaml", &manifest);
    let told = cli.json(["apply", "-f", "fleet.yaml", "--jobs", "3"]);
    assert_eq!(told["status"], "applied");
    assert_eq!(
        cli.json(["list"])["components"].as_array().unwrap().len(),
        20
    );
    assert_eq!(
        cli.json(["apply", "-f", "fleet.yaml"])["status"],
        "unchanged"
    );
    assert!(cli.is_tidy());
    let verified = cli.run(["cache", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_any_position_leaves_what_was_there() {
    let fleet = Fleet::new();
    let names = ["a", "b", "c", "d"];
    for name in names {
        fleet.push(name, "v1", &code(1)).await;
        fleet.push(name, "v2", &code(2)).await;
    }
    let entry =
        |name: &str, tag: &str| format!("- {{uri: 'oci://R/{name}:{tag}', permissions: {{}}}}\n");
    let manifest = |tags: [&str; 4]| {
        let entries = names.iter().zip(tags).map(|(name, tag)| entry(name, tag));
        format!("components:\n{}", entries.collect::<String>())
    };
    fleet.manifest(&manifest(["v1"; 4]));
    fleet.apply(&[]);
    // `b` gets a grant by hand, which the manifest would revoke.
    fleet.json(&["permission", "grant", "network", "b", "b.example.com"]);
    let before = state(&fleet.cli);
    for position in 0..names.len() {
        let mut tags = ["v2"; 4];
        tags[position] = "absent";
        fleet.manifest(&manifest(tags));
        // The new tags are not pinned to a digest yet.
        fs::remove_file(fleet.cli.file_path("wassette.lock")).unwrap_or_default();
        let error = fleet.refused(&[]);
        assert_eq!(error["code"], "not-found", "{error}");
        let told = error["message"].as_str().unwrap();
        assert!(
            told.starts_with(&format!("`{}`: ", names[position])),
            "{error}"
        );
        assert_eq!(state(&fleet.cli), before, "{position}");
        assert!(fleet.cli.is_tidy(), "{position}");
        assert!(!fleet.cli.file_path("wassette.lock").exists());
    }
    fleet.manifest(&manifest(["v2"; 4]));
    let told = fleet.apply(&[]);
    let replaces = names.map(|name| (name, "replace"));
    assert_eq!(actions(&told), pairs(&replaces));
    assert!(granted(&fleet.cli, "b").is_empty());
    assert_eq!(fleet.json(&["rollback", "a"])["component_id"], "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_done_is_done_on_request() {
    let fleet = seed().await;
    let broken = SEED.replace("microsoft/github-js", "microsoft/absent");
    fleet.manifest(&broken);
    let ended = fleet.run(&[
        "apply",
        "-f",
        "fleet.yaml",
        "--continue-on-error",
        "-o",
        "json",
    ]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["failures"][0]["component_id"], "github-api");
    assert_eq!(told["failures"][0]["error"]["code"], "not-found");
    let error: Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["code"], "apply-failed");
    assert_eq!(actions(&told), pairs(&[("weather-service", "install")]));
    assert_eq!(
        fleet.json(&["list"])["components"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    fleet.manifest(SEED);
    let told = fleet.apply(&[]);
    let expected = pairs(&[("weather-service", "keep"), ("github-api", "install")]);
    assert_eq!(actions(&told), expected);
}

#[test]
fn permissions_are_the_grants_whole_and_only() {
    let cli = Cli::new();
    cli.load(&cli.file("a.wasm", binary(&code(1))));
    cli.json(["permission", "grant", "network", "a", "by-hand.example.com"]);
    let apply = |permissions: &str| {
        cli.file(
            "fleet.yaml",
            format!("components:\n- uri: ./a.wasm\n{permissions}"),
        );
        let _ = fs::remove_file(cli.file_path("wassette.lock"));
        actions(&cli.json(["apply", "-f", "fleet.yaml"]))
    };
    // Without the key, the grants stay.
    assert_eq!(apply(""), pairs(&[("a", "keep")]));
    let by_hand = r#"{"network":{"host":"by-hand.example.com"}}"#;
    assert_eq!(granted(&cli, "a"), pairs(&[(by_hand, "cli")]));
    let other = "  permissions: {network: {allow: [{host: other.example.com}]}}\n";
    assert_eq!(apply(other), pairs(&[("a", "regrant")]));
    let granted_now = r#"{"network":{"host":"other.example.com"}}"#;
    assert_eq!(granted(&cli, "a"), pairs(&[(granted_now, "manifest")]));
    assert_eq!(apply(other), pairs(&[("a", "keep")]));
    assert_eq!(apply("  permissions: {}\n"), pairs(&[("a", "regrant")]));
    assert!(granted(&cli, "a").is_empty());
    assert!(cli.is_tidy());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_asks_for_is_told_and_not_granted() {
    let fleet = Fleet::new();
    let request = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - key: CITY\n";
    fleet.push_asking("a", "v1", WIDER, request).await;
    fleet.manifest("components:\n- uri: oci://R/a:v1\n");
    let told = fleet.apply(&[]);
    let asked = &told["components"][0]["not_granted"][0]["permission"];
    assert_eq!(asked, &json!({"environment": {"key": "CITY"}}));
    assert!(granted(&fleet.cli, "a").is_empty());
}

#[test]
fn only_what_the_same_manifest_installed_is_pruned() {
    let cli = Cli::new();
    for name in ["own", "kept", "adopted", "by-hand"] {
        cli.file(&format!("{name}.wasm"), binary(&code(1)));
    }
    cli.load(&cli.file_path("by-hand.wasm"));
    cli.load(&cli.file_path("adopted.wasm"));
    let manifest = |names: &[&str]| {
        let entries = names.iter().map(|name| format!("- uri: ./{name}.wasm\n"));
        format!("components:\n{}", entries.collect::<String>())
    };
    cli.file("fleet.yaml", manifest(&["own", "kept", "adopted"]));
    cli.json(["apply", "-f", "fleet.yaml"]);
    cli.file("fleet.yaml", manifest(&["kept"]));
    // Another manifest does not remove components of this one.
    cli.file("other.yaml", "components: []\n");
    let other = [
        "apply",
        "-f",
        "other.yaml",
        "--prune",
        "--lock",
        "other.lock",
    ];
    assert_eq!(actions(&cli.json(other)), []);
    let told = cli.json(["apply", "-f", "fleet.yaml"]);
    assert_eq!(actions(&told), pairs(&[("kept", "keep")]));
    let told = cli.json(["diff", "-f", "fleet.yaml", "--prune"]);
    let expected = pairs(&[("kept", "keep"), ("own", "remove")]);
    assert_eq!(actions(&told), expected);
    let told = cli.json(["apply", "-f", "fleet.yaml", "--prune"]);
    assert_eq!(actions(&told), expected);
    let listed = cli.json(["list"]);
    let listed = listed["components"].as_array().unwrap().iter();
    let mut ids: Vec<_> = listed.map(|one| one["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["adopted", "by-hand", "kept"]);
    assert_eq!(
        cli.json(["apply", "-f", "fleet.yaml", "--prune"])["status"],
        "unchanged"
    );
    // A component loaded by hand in its place no longer belongs to the manifest.
    cli.json(["unload", "kept"]);
    cli.load(&cli.file_path("kept.wasm"));
    cli.file("fleet.yaml", "components: []\n");
    assert_eq!(
        actions(&cli.json(["apply", "-f", "fleet.yaml", "--prune"])),
        []
    );
}

#[test]
fn a_difference_can_fail_a_job() {
    let cli = Cli::new();
    cli.file("a.wasm", binary(&code(1)));
    cli.file("fleet.yaml", "components: [{uri: ./a.wasm}]\n");
    let diff = ["diff", "-f", "fleet.yaml", "--exit-code"];
    let ended = cli.run(diff);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("+ a is installed"),
        "{}",
        ended.stdout
    );
    cli.json(["apply", "-f", "fleet.yaml"]);
    let ended = cli.run(diff);
    assert_eq!(
        (ended.code, &*ended.stdout),
        (0, "No changes.\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn code_can_be_made_before_anything_is_visible() {
    let cli = Cli::new();
    cli.file("a.wasm", binary(&code(7)));
    cli.file("fleet.yaml", "components: [{uri: ./a.wasm}]\n");
    cli.json(["apply", "-f", "fleet.yaml", "--compile"]);
    assert!(cli.root().join("components/a/a.cwasm").is_file());
    assert_eq!(cli.json(["call", "version"]), json!({"result": 7}));
}
