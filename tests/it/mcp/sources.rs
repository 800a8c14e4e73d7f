//! The sources that agents may load from, and what they learn about files.

use std::os::unix::fs::{PermissionsExt, symlink};

use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use crate::support::mcp::{CALC, Client, Place, text_of};

async fn load(client: &Client, uri: &str) -> CallToolResult {
    client.call("load-component", json!({ "uri": uri })).await
}

/// The error of a load, with the address taken out.
async fn refused(client: &Client, uri: &str) -> Value {
    let result = load(client, uri).await;
    assert_eq!(result.is_error, Some(true), "{uri}: {result:?}");
    let text = text_of(&result).to_string().replace(uri, "URI");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn files_that_are_no_components_are_not_told_apart() {
    let place = Place::new();
    let client = place.stdio().await;
    let absent = format!("file://{}", place.path("absent").display());
    let expected = refused(&client, &absent).await;
    assert_eq!(expected["code"], "not-for-agents");
    let secret = "hunter2-and-more";
    let locked = place.component("locked", CALC);
    let mode = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(place.path("locked"), mode).unwrap();
    std::fs::create_dir(place.path("directory")).unwrap();
    let mut others = vec![
        place.component("text", secret),
        place.component("text.wat", &format!("({secret}")),
        place.component("empty", ""),
        place.component("module", "\0asm\x01\0\0\0"),
        format!("file://{}", place.path("directory").display()),
        format!("file://{}/below", place.path("text").display()),
        format!("oci-layout://{}:v1", place.path("text").display()),
    ];
    // The user `root` can read everything.
    if std::fs::read(place.path("locked")).is_err() {
        others.push(locked);
    }
    for uri in others {
        let error = refused(&client, &uri).await;
        assert_eq!(error, expected, "{uri}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn no_error_quotes_what_is_no_component() {
    let place = Place::new();
    let file = place.component("secret.txt", "hunter2-and-more");
    let output = place
        .wassette(&["load", "--uri", &file])
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("is not WebAssembly"), "{told}");
    assert!(!told.contains("hunter"), "{told}");
}

#[tokio::test]
async fn agents_load_from_the_listed_sources_only() {
    let place = Place::new();
    let outside = place.component("calc.wat", CALC);
    std::fs::create_dir(place.path("listed")).unwrap();
    let inside = place.component("listed/calc.wat", CALC);
    symlink(place.path("calc.wat"), place.path("listed/link.wat")).unwrap();
    let link = format!("file://{}", place.path("listed/link.wat").display());
    let up = format!("file://{}/../calc.wat", place.path("listed").display());
    let directory = place.path("listed").canonicalize().unwrap();
    place.configure(&format!(
        "[agents]\nsources = [\"file://{}/*\", \"oci://ghcr.io/acme/*\"]\n",
        directory.display()
    ));
    let client = place.stdio().await;
    for uri in [&outside, &link, &up] {
        assert_eq!(
            refused(&client, uri).await["code"],
            "not-for-agents",
            "{uri}"
        );
    }
    for uri in ["oci://ghcr.io/other/x:1", "https://example.com/x.wasm"] {
        let error = refused(&client, uri).await;
        assert_eq!(error["code"], "source-not-allowed", "{uri}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("[agents] sources"), "{hint}");
    }
    let loaded = load(&client, &inside).await;
    assert_ne!(loaded.is_error, Some(true), "{loaded:?}");
    // A person may load sources that agents may not.
    let load = ["load", "--uri", &outside, "--name", "other"];
    let output = place.wassette(&load).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_server_that_others_reach_gives_agents_no_files() {
    let place = Place::new();
    let file = place.component("calc.wat", CALC);
    let address = ["--bind", "0.0.0.0:0", "--no-auth"];
    let server = place.http(&address).await;
    let client = server.client(rmcp::model::ProtocolVersion::LATEST).await;
    assert_eq!(refused(&client, &file).await["code"], "not-for-agents");
    let server = place.http(&[]).await;
    let client = server.client(rmcp::model::ProtocolVersion::LATEST).await;
    let loaded = load(&client, &file).await;
    assert_ne!(loaded.is_error, Some(true), "{loaded:?}");
}

#[tokio::test]
async fn a_pattern_that_is_none_is_refused_at_the_start() {
    let place = Place::new();
    place.configure("[agents]\nsources = [\"ghcr.io/acme\"]\n");
    let output = place.wassette(&["list"]).output().await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("is not a source pattern"), "{told}");
}

/// Two functions, one of which takes a type that JSON cannot express.
const HALF: &str = r#"
(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (core module $m
    (func (export "one") (result i32) i32.const 1)
    (func (export "take") (param i32)))
  (core instance $i (instantiate $m))
  (func (export "one") (result s32) (canon lift (core func $i "one")))
  (func (export "take") (param "x" (own $pollable)) (canon lift (core func $i "take"))))
"#;

#[tokio::test]
async fn functions_that_are_no_tools_are_named() {
    let place = Place::new();
    let file = place.component("half.wat", HALF);
    let client = place.stdio().await;
    let loaded = client.load(&file).await;
    assert_eq!(loaded["tool_names"], json!(["one"]));
    let left = loaded["not_callable"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["name"]), (1, &json!("take")));
    assert!(!left[0]["reason"].as_str().unwrap().is_empty());
    let listed = client.call("list-components", json!({})).await;
    let listed = listed.structured_content.unwrap();
    assert_eq!(listed["components"][0]["not_callable"], json!(left));
    let shown = place
        .wassette(&["load", "--uri", &file])
        .output()
        .await
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("take: "), "{shown}");
    let listed = place.wassette(&["list"]).output().await.unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("note: no tools of `half`: take; "),
        "{listed}"
    );
}
