//! Grants on the command line, and their effect on components.

use std::fs;

use serde_json::{Value, json};

use crate::runtime::limits_denials::ASKS;
use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::cli::Cli;
use crate::support::components::binary;
use crate::support::mcp::Place;
use crate::support::registry::Registry;

const REQUEST: &str = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - {key: CITY, value: Bern}\n  network:\n    allow:\n    - host: api.example.com\n";

/// A root with a component that requests variables.
fn root() -> Cli {
    let cli = Cli::new();
    cli.load(&cli.file("asks.wat", ASKS));
    cli
}

/// Whether the component sees the variable.
fn sees(cli: &Cli, key: &str) -> bool {
    sees_by(cli, "try", key)
}

fn sees_by(cli: &Cli, tool: &str, key: &str) -> bool {
    let args = json!({ "key": key }).to_string();
    let answer = cli.json(["call", tool, "--args", &args]);
    answer["result"].as_bool().unwrap()
}

fn permission(cli: &Cli, args: &str) -> Value {
    cli.json(["permission"].into_iter().chain(args.split(' ')))
}

#[test]
fn what_is_granted_is_seen_and_what_is_revoked_is_not() {
    let cli = root();
    cli.run(["secret", "set", "asks", "CITY=Bern-is-the-city"]);
    assert!(!sees(&cli, "CITY"));
    let report = permission(&cli, "grant environment-variable asks CITY");
    assert_eq!(report["grants"][0]["granted_by"], "cli", "{report}");
    assert_eq!(
        report["policy"]["permissions"]["environment"]["allow"][0]["key"],
        "CITY"
    );
    assert!(sees(&cli, "CITY"));
    // A second grant changes nothing, not even the recorded time.
    let again = permission(&cli, "grant environment-variable asks CITY");
    assert_eq!(again["grants"], report["grants"]);
    let revoked = permission(&cli, "revoke environment-variable asks CITY");
    assert_eq!(revoked["grants"], json!([]));
    assert!(!sees(&cli, "CITY"));

    permission(&cli, "grant environment-variable asks PLACE --value here");
    assert!(sees(&cli, "PLACE"));
    permission(&cli, "reset asks");
    assert!(!sees(&cli, "PLACE"));
}

#[test]
fn every_kind_is_granted_and_taken_back_as_it_was_named() {
    let cli = root();
    let kinds = [
        "network asks api.example.com",
        "network asks https://*.example.com:8443",
        "network asks 10.0.0.0/8",
        "storage asks fs:///data/in/** --access read,write",
        "storage asks fs://work --access read",
        "environment-variable asks TOKEN --secret",
        "memory asks 64Mi",
    ];
    for (nth, kind) in kinds.iter().enumerate() {
        let report = permission(&cli, &format!("grant {kind}"));
        assert_eq!(
            report["grants"].as_array().unwrap().len(),
            nth + 1,
            "{kind}"
        );
    }
    let shown = cli.run(["policy", "get", "asks"]).stdout;
    for word in ["api.example.com", "/data/in", "64Mi", "cli"] {
        assert!(shown.contains(word), "{shown}");
    }
    // Part of a grant can be revoked.
    let report = permission(&cli, "revoke storage asks fs:///data/in/** --access write");
    assert_eq!(report["grants"].as_array().unwrap().len(), kinds.len());
    let document = cli.run(["policy", "get", "asks", "--yaml"]).stdout;
    let copy = cli.file("copy.yaml", &document);
    permission(&cli, "reset asks");
    let set = cli.json(["policy", "set", "asks", copy.to_str().unwrap()]);
    assert_eq!(set["grants"].as_array().unwrap().len(), kinds.len());
    assert_eq!(
        cli.run(["policy", "get", "asks", "--yaml"]).stdout,
        document
    );
    for kind in kinds {
        let kind = kind.replace("read,write", "read");
        permission(&cli, &format!("revoke {kind}"));
    }
    assert_eq!(cli.json(["policy", "get", "asks"])["grants"], json!([]));
    let schema: Value = serde_json::from_str(&cli.run(["policy", "schema"]).stdout).unwrap();
    assert!(schema["$schema"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_minds_what_another_process_grants() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("asks.wat", ASKS)).await;
    let city = json!({ "key": "CITY" });
    let sees = async || {
        let result = client.call("try", city.clone()).await;
        result.structured_content.unwrap()["result"]
            .as_bool()
            .unwrap()
    };
    for _ in 0..3 {
        assert!(!sees().await);
        let grant = [
            "permission",
            "grant",
            "environment-variable",
            "asks",
            "CITY",
        ];
        let granted = place
            .wassette(&[&grant[..], &["--value", "Bern"]].concat())
            .output()
            .await;
        assert!(granted.unwrap().status.success());
        assert!(sees().await);
        let reset = place
            .wassette(&["permission", "reset", "asks"])
            .output()
            .await;
        assert!(reset.unwrap().status.success());
    }
}

/// Publishes the component with its request.
async fn publish(registry: &Registry, request: &str) -> String {
    let wasm = binary(ASKS);
    let artifact = Artifact::new(&[(WASM, &wasm), (POLICY, request.as_bytes())]);
    registry.push("asks", "v1", &artifact).await;
    registry.reference("asks:v1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_grants_nothing_until_someone_agrees() {
    let registry = Registry::start();
    let uri = publish(&registry, REQUEST).await;
    let cli = Cli::new();
    // Without a terminal there is no question, and the request is reported.
    let loaded = cli.json(["load", "--uri", &uri]);
    assert_eq!(loaded["granted_permissions"], json!([]));
    assert_eq!(loaded["not_granted"].as_array().unwrap().len(), 2);
    // It does not import a network interface.
    assert!(
        loaded["remarks"][0].as_str().unwrap().contains("network"),
        "{loaded}"
    );
    let shown = cli.run(["load", "--uri", &uri]).stdout;
    assert!(shown.contains("--grant-requested"), "{shown}");
    assert!(!sees(&cli, "CITY"));

    let loaded = cli.json(["load", "--uri", &uri, "--grant-requested"]);
    assert_eq!(loaded["status"], "already-loaded");
    assert_eq!(loaded["not_granted"], json!([]));
    assert!(sees(&cli, "CITY"));
    let record = fs::read_to_string(cli.root().join("components/asks/asks.policy.meta.json"));
    let record: Value = serde_json::from_str(&record.unwrap()).unwrap();
    let text = record.to_string();
    for told in ["cli", "asks:v1", "sha256:"] {
        assert!(text.contains(told), "{text}");
    }

    // A new version keeps its grants, and gets no more.
    let more = format!("{REQUEST}    - host: other.example.com\n");
    let uri = publish(&registry, &more).await;
    let loaded = cli.json(["load", "--uri", &uri]);
    assert_eq!(loaded["granted_permissions"].as_array().unwrap().len(), 2);
    let beyond = loaded["not_granted"].as_array().unwrap();
    assert_eq!(beyond.len(), 1);
    assert!(
        beyond[0]["description"]
            .as_str()
            .unwrap()
            .contains("other.example.com")
    );

    // Another policy replaces all of it.
    let given = cli.file("given.yaml", "version: \"1.0\"\n");
    let loaded = cli.json(["load", "--uri", &uri, "--policy", given.to_str().unwrap()]);
    assert_eq!(loaded["granted_permissions"], json!([]));
    assert!(!sees(&cli, "CITY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_decides_for_everyone() {
    let registry = Registry::start();
    let uri = publish(&registry, REQUEST).await;
    for (bundled, granted) in [("apply", 2), ("ignore", 0), ("ask", 0)] {
        let cli = Cli::new();
        fs::create_dir_all(cli.root()).unwrap();
        let config = format!("[policy]\nbundled = \"{bundled}\"\n");
        fs::write(cli.root().join("config.toml"), config).unwrap();
        let loaded = cli.json(["load", "--uri", &uri]);
        let permissions = loaded["granted_permissions"].as_array().unwrap();
        assert_eq!(permissions.len(), granted, "{bundled}");
    }
}

#[test]
fn a_damaged_policy_grants_nothing_and_reset_mends_it() {
    let cli = root();
    permission(&cli, "grant environment-variable asks CITY --value Bern");
    let path = cli.root().join("components/asks/asks.policy.yaml");
    for text in ["version: \"1.0\"\nallow: everything\n", "\0\0\0", ""] {
        fs::write(&path, text).unwrap();
        assert!(!sees(&cli, "CITY"), "{text:?}");
        let added = cli.run(["permission", "grant", "network", "asks", "a.example"]);
        assert_ne!(added.code, 0, "{text:?}");
    }
    permission(&cli, "reset asks");
    assert!(!sees(&cli, "CITY"));
}

#[test]
fn bad_requests_are_refused_and_change_nothing() {
    let cli = root();
    let missing = cli.run(["permission", "grant", "network", "absent", "a.example"]);
    assert_eq!(missing.code, 3);
    for args in [
        "grant network asks a..b",
        "grant network asks ftp://a.example",
        "grant network asks 10.0.0.1/8",
        "grant network asks *",
        "grant storage asks /data --access read",
        "grant storage asks fs:///data/../etc --access read",
        "grant storage asks fs:///data --access execute",
        "grant storage asks fs:///data",
        "grant environment-variable asks A=B",
        "grant environment-variable asks A --value b --secret",
        "grant memory asks plenty",
        "grant memory asks 0",
    ] {
        let ended = cli.run(["permission"].into_iter().chain(args.split(' ')));
        if args.ends_with(" *") {
            assert_eq!(ended.code, 0, "every host is one pattern");
            permission(&cli, "reset asks");
            continue;
        }
        assert_eq!(ended.code, 2, "{args}: {}", ended.stderr);
    }
    let revoked = cli.run(["permission", "revoke", "network", "asks", "a.example"]);
    assert_ne!(revoked.code, 0);
    let too_large = cli.file("large.yaml", vec![b'#'; 2 << 20]);
    let unknown = cli.file("unknown.yaml", "version: \"1.0\"\npermisions: {}\n");
    let binary = cli.file("binary.yaml", [0xff, 0xfe]);
    for (file, says) in [
        (too_large, "larger"),
        (unknown, "permisions"),
        (binary, "UTF-8"),
    ] {
        let ended = cli.run(["policy", "set", "asks", file.to_str().unwrap()]);
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    assert_eq!(cli.json(["policy", "get", "asks"])["grants"], json!([]));
}

/// Damages files of the component.
fn damage(cli: &Cli, suffixes: &[&str]) {
    for suffix in suffixes {
        let path = cli.root().join(format!("components/asks/asks.{suffix}"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replacen("asks", "task", 1)).unwrap();
    }
}

#[test]
fn grants_are_inherited_from_the_same_source_alone() {
    let grant = "grant environment-variable asks CITY --value Bern";
    let other = |cli: &Cli| {
        let wat = ASKS.replacen("(component", "(component $other", 1);
        cli.file("other.wat", wat).display().to_string()
    };
    let both = ["metadata.json", "metadata.copy.json"];

    // The second copy of the metadata tells which source owns the id.
    let cli = root();
    permission(&cli, grant);
    damage(&cli, &both[..1]);
    let load = ["load", "--name", "asks", "--uri", &other(&cli)];
    let refused = cli.run(load);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    assert!(refused.stderr.contains("asks.wat"), "{}", refused.stderr);
    damage(&cli, &both[..1]);
    cli.load(&cli.file("asks.wat", ASKS));
    assert!(sees(&cli, "CITY"));

    // Without readable metadata, a newly loaded component starts without grants.
    for takes_over in [true, false] {
        let cli = root();
        // A previous version, which would otherwise get the new grants.
        cli.load(&cli.file(
            "asks.wat",
            ASKS.replacen("unreachable", "nop unreachable", 1),
        ));
        permission(&cli, grant);
        assert!(sees(&cli, "CITY"));
        damage(&cli, &both);
        let uri = match takes_over {
            true => other(&cli),
            false => cli.file("asks.wat", ASKS).display().to_string(),
        };
        let loaded = cli.json(["load", "--name", "asks", "--uri", &uri]);
        assert_eq!(loaded["granted_permissions"], json!([]), "{loaded}");
        assert_eq!(cli.json(["policy", "get", "asks"])["grants"], json!([]));
        // The name stays reserved for the source that had it.
        let tools = loaded["tool_names"].as_array().unwrap();
        let tool = tools
            .iter()
            .find_map(|tool| tool.as_str().filter(|name| name.ends_with("try")));
        let tool = tool.unwrap();
        assert_eq!(tool != "try", takes_over, "{loaded}");
        assert!(!sees_by(&cli, tool, "CITY"));
        let back = cli.run(["rollback", "asks"]);
        assert_eq!(back.code, 3, "{}", back.stderr);
    }
}
