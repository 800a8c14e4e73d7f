//! An export of one root, applied to another, gives the same components.

use std::fs;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Fleet, code, state};
use crate::support::cli::Cli;
use crate::support::components::binary;

const POLICY: &str = r#"version: "1.0"
permissions:
  network:
    allow:
    - host: "*.example.com"
    - cidr: 10.0.0.0/8
    deny:
    - host: internal.example.com
  storage:
    allow:
    - uri: fs:///data/**
      access: [read, write]
      quota: 10Mi
    deny:
    - uri: fs:///data/private/**
      access: [read, write]
  environment:
    allow:
    - key: GREETING
      value: "${NOT_A_VARIABLE} $${NOR_THIS} $1"
    - key: TOKEN
      value_from: secret
  resources:
    limits: {memory: 64Mi, time: 5s}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_export_applied_elsewhere_gives_the_same_root() {
    let fleet = Fleet::new();
    fleet.push("a", "v1", &code(1)).await;
    fleet.push("b", "v1", &code(2)).await;
    let file = fleet.cli.file("c.wasm", binary(&code(3)));
    let tag = |name: &str| fleet.registry.reference(&format!("{name}:v1"));
    fleet.json(&["load", &tag("a"), "--name", "first"]);
    fleet.json(&["load", &tag("b")]);
    fleet.json(&["load", file.to_str().unwrap()]);
    let policy = fleet.cli.file("policy.yaml", POLICY);
    fleet.json(&["policy", "set", "first", policy.to_str().unwrap()]);
    // The tags have moved since the installation.
    fleet.push("a", "v1", &code(9)).await;
    let exported = state(&fleet.cli);
    assert!(exported.contains("permissions: {}"), "{exported}");

    for form in [
        &["export"][..],
        &["export", "-o", "json"],
        &["export", "-o", "yaml"],
    ] {
        let elsewhere = Cli::new();
        let text = fleet.run(form).stdout;
        fs::write(elsewhere.file_path("fleet.yaml"), text).unwrap();
        let told = elsewhere.json(["apply", "-f", "fleet.yaml", "--require-digests"]);
        assert_eq!(told["status"], "applied");
        assert_eq!(state(&elsewhere), exported);
        let policy = |cli: &Cli| cli.json(["policy", "get", "first"])["document"].clone();
        assert_eq!(policy(&elsewhere), policy(&fleet.cli));
        let again = elsewhere.json(["apply", "-f", "fleet.yaml", "--locked"]);
        assert_eq!(again["status"], "unchanged");
    }
    // Applied to the same root, it changes nothing.
    fs::write(fleet.cli.file_path("fleet.yaml"), &exported).unwrap();
    assert_eq!(fleet.apply(&[])["status"], "unchanged");
}

/// What some component may do, as a policy or a manifest has it.
fn permissions() -> impl Strategy<Value = Value> {
    let hosts = btree_set(r"(\*\.)?[a-z]{1,8}\.example", 0..3);
    let paths = btree_set("[a-z]{1,6}( [a-z]{1,3})?", 0..3);
    let variables = vec(("[A-Z][A-Z0-9_]{0,6}", "[ -~]{0,12}"), 0..3);
    let memory = proptest::option::of(1..2000_u32);
    (hosts, paths, variables, memory).prop_map(|(hosts, paths, variables, memory)| {
        let hosts = hosts.iter().map(|host| json!({ "host": host }));
        let paths = paths
            .iter()
            .map(|path| json!({ "uri": format!("fs:///data/{path}/**"), "access": ["read"] }));
        let mut given = std::collections::BTreeMap::new();
        given.extend(variables);
        // In a manifest, `$` before a brace would be a variable.
        let variables = given
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value.replace("${", "$${") }));
        let mut permissions = json!({
            "network": { "allow": hosts.collect::<Vec<_>>() },
            "storage": { "allow": paths.collect::<Vec<_>>() },
            "environment": { "allow": variables.collect::<Vec<_>>() },
        });
        if let Some(memory) = memory {
            let limits = json!({ "limits": { "memory": format!("{memory}Mi") } });
            permissions["resources"] = limits;
        }
        permissions
    })
}

/// Rules for the one tool of a component.
fn rules() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!({ "deny": ["version"] })),
        "[a-z]{3,8}".prop_map(|text| json!({ "describe": { "version": text } })),
    ]
}

/// Installs this, component after component.
fn installed(components: &[(u32, Option<Value>, Value)]) -> Cli {
    let cli = Cli::new();
    let entries = components.iter().enumerate().map(|(n, one)| {
        let (version, permissions, rules) = one;
        cli.file(&format!("c{n}.wasm"), binary(&code(*version)));
        let mut entry = json!({ "uri": format!("./c{n}.wasm"), "name": format!("component-{n}") });
        if let Some(permissions) = permissions {
            entry["permissions"] = permissions.clone();
        }
        if rules != &json!({}) {
            entry["tools"] = rules.clone();
        }
        entry
    });
    let manifest = json!({ "components": entries.collect::<Vec<_>>() });
    cli.file("all.json", manifest.to_string());
    cli.json(["apply", "-f", "all.json"]);
    // One that was loaded by hand.
    cli.file("by-hand.wasm", binary(&code(99)));
    cli.load(&cli.file_path("by-hand.wasm"));
    cli
}

/// What there is of a component, but for times and the manifest it is from.
fn content(cli: &Cli, id: &str) -> (Vec<u8>, Value, Value) {
    let wasm = cli.root().join(format!("components/{id}/{id}.wasm"));
    let policy = cli.json(["policy", "get", id])["document"].clone();
    // Names depend on what was installed first.
    let tools = cli.json(["inspect", id])["tools"].clone();
    let tools = tools.as_array().unwrap().iter();
    let tools =
        tools.map(|tool| json!([tool["description"], tool["hidden"], tool["input_schema"]]));
    (fs::read(wasm).unwrap(), policy, tools.collect())
}

proptest! {
    // Each case starts two dozen processes.
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn an_export_of_anything_gives_the_same_root_elsewhere(
        components in vec((0..50_u32, proptest::option::of(permissions()), rules()), 0..4),
    ) {
        let here = installed(&components);
        let exported = state(&here);
        let there = Cli::new();
        there.file("fleet.yaml", &exported);
        there.json(["apply", "-f", "fleet.yaml", "--require-digests"]);
        prop_assert_eq!(state(&there), exported);
        let ids = (0..components.len()).map(|n| format!("component-{n}"));
        for id in ids.chain(["by-hand".to_owned()]) {
            prop_assert_eq!(content(&here, &id), content(&there, &id), "{}", id);
        }
        let again = there.json(["apply", "-f", "fleet.yaml"]);
        prop_assert_eq!(&again["status"], &json!("unchanged"));
    }
}
