//! An export of one root, applied to another, gives the same components.

use std::fs;

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
