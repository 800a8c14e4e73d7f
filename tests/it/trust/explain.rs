//! `wassette trust`, and the warnings about rules elsewhere.

use std::process::Stdio;

use serde_json::json;

use crate::support::node::Node;
use crate::support::signing::Key;

use super::{done, text, write_config};

fn rules(key: &str) -> String {
    format!(
        "[[trust]]\nscope = '*'\nrequire = 'digest'\n\
         [[trust]]\nscope = 'ghcr.io/acme/*'\nrequire = 'signature'\nkeys = ['{key}']\n\
         [[trust]]\nscope = 'ghcr.io/acme/tools'\nrequire = 'none'\n\
         [[trust]]\nscope = 'a.io'\ndeny = ['sha256:{}']\n",
        "0".repeat(64)
    )
}

#[tokio::test]
async fn the_rule_that_decides_is_told_with_the_reason() {
    let node = Node::new();
    write_config(&node, "");
    let listed = done(&node, &["trust", "list"]).await;
    assert_eq!(listed, json!({ "rules": [], "remarks": [] }));
    let explain = async |reference: &str| done(&node, &["trust", "explain", reference]).await;
    let none = explain("oci://ghcr.io/acme/weather:1").await;
    assert_eq!(none["rules"], json!([]));
    assert!(
        none["required"][0]
            .as_str()
            .unwrap()
            .contains("no rule is about it")
    );

    let key = Key::new("P-256");
    write_config(&node, &rules(text(&key.public())));
    let listed = done(&node, &["trust", "list"]).await;
    assert_eq!(listed["rules"].as_array().unwrap().len(), 4, "{listed}");
    assert_eq!(listed["rules"][1]["require"], "signature");
    let remarks = listed["remarks"].as_array().unwrap();
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    let remark = remarks[0].as_str().unwrap();
    assert!(
        remark.contains("`ghcr.io/acme/tools` requires less"),
        "{remark}"
    );

    let signed = explain("oci://ghcr.io/acme/weather:1").await;
    let scopes = signed["rules"].as_array().unwrap().iter();
    let scopes: Vec<_> = scopes
        .map(|one| (one["scope"].clone(), one["decides"].clone()))
        .collect();
    assert_eq!(
        scopes,
        [
            (json!("ghcr.io/acme/*"), json!(true)),
            (json!("*"), json!(false))
        ]
    );
    let required = signed["required"][0].as_str().unwrap();
    assert!(
        required.starts_with("a signature by the key in "),
        "{required}"
    );
    assert_eq!(signed["denied"].as_array().unwrap().len(), 1);

    let loose = explain("oci://ghcr.io/acme/tools/x:1").await;
    assert!(
        loose["required"][0]
            .as_str()
            .unwrap()
            .starts_with("nothing")
    );
    let pinned = explain(&format!("oci://b.io/x@sha256:{}", "1".repeat(64))).await;
    assert_eq!(
        pinned["required"],
        json!(["a digest, which the reference has"])
    );
    let file = explain("nowhere.wasm").await;
    assert!(
        file["required"][0]
            .as_str()
            .unwrap()
            .contains("with `--digest` alone")
    );

    let output = node
        .run(&["trust", "explain", "oci://ghcr.io/acme/weather:1"])
        .await;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        shown.contains("decides: its scope is the most specific"),
        "{shown}"
    );
    let output = node.run(&["trust", "explain", "oci://"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[tokio::test]
async fn what_rules_may_not_mean_is_told_by_doctor_and_at_start() {
    let node = Node::new();
    let trust = async || {
        let output = node.run(&["doctor", "--offline", "-o", "json"]).await;
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut findings = told["findings"].as_array().expect("findings").iter();
        findings.find(|one| one["check"] == "trust").cloned()
    };
    write_config(&node, "");
    assert_eq!(trust().await, None);
    let key = Key::new("P-256");
    write_config(&node, &rules(text(&key.public())));
    let told = trust().await.expect("a finding");
    assert_eq!(told["state"], "warning", "{told}");
    assert!(
        told["found"].as_str().unwrap().contains("requires less"),
        "{told}"
    );
    write_config(&node, &rules("missing.pub"));
    let told = trust().await.expect("a finding");
    assert_eq!(told["state"], "problem", "{told}");
    assert!(
        told["found"].as_str().unwrap().contains("missing.pub"),
        "{told}"
    );

    // A server without a client ends at once.
    let mut serve = node.place.wassette(&["serve", "--transport", "stdio"]);
    let output = serve.stdin(Stdio::null()).output().await.expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("requires less"), "{told}");
}
