//! Each kind of denial as the agent sees it, with the suggested grant: sent unchanged, it allows
//! just what was denied.

use std::fs;

use serde_json::{Value, json};

use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::components::binary;
use crate::support::components_files::OPENS;
use crate::support::components_rt::TELLTALE;
use crate::support::mcp::{Client, Place, text_of};
use crate::support::network_guest::{COMPONENT, message, socket};
use crate::support::registry::Registry;
use crate::support::web::Web;

/// A call that is denied something.
struct Tried<'a> {
    tool: &'a str,
    arguments: Value,
    kind: &'a str,
    what: &'a str,
    /// The arguments after `wassette permission grant`.
    command: &'a str,
}

/// Checks that the call is denied and says so; returns the suggested grant.
async fn denied(client: &Client, tried: &Tried<'_>) -> Value {
    let result = client.call(tried.tool, tried.arguments.clone()).await;
    assert_eq!(result.is_error, Some(true), "{result:?}");
    let told = text_of(&result);
    let denied = told["denied"].as_array().expect("what was denied");
    assert_eq!(denied.len(), 1, "{told}");
    assert_eq!(denied[0]["kind"], tried.kind, "{told}");
    assert_eq!(denied[0]["what"], tried.what, "{told}");
    let grant = denied[0]["grant"].clone();
    let command = format!("wassette permission grant {}", tried.command);
    assert_eq!(grant["command"], command.as_str(), "{told}");
    let hint = told["hint"].as_str().expect("a hint");
    for part in [&*command, grant["tool"].as_str().unwrap()] {
        assert!(hint.contains(part), "{part}: {hint}");
    }
    grant
}

async fn granted(client: &Client, grant: &Value) {
    let tool = grant["tool"].as_str().unwrap();
    let result = client.call(tool, grant["arguments"].clone()).await;
    assert_ne!(result.is_error, Some(true), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_network() {
    let web = Web::start().await;
    let place = Place::new();
    fs::write(place.path("net.wasm"), COMPONENT).unwrap();
    let client = place.stdio().await;
    let uri = format!("file://{}", place.path("net.wasm").display());
    client.load(&uri).await;

    let port = web.port;
    let url = format!("http://localhost:{port}/a");
    let request = Tried {
        tool: "request",
        arguments: json!({ "message": message(&format!("{url}?q=private")) }),
        kind: "request",
        what: &url,
        command: &format!("network net http://localhost:{port}"),
    };
    let tcp = Tried {
        tool: "tcp",
        arguments: json!({
            "remote": socket([127, 0, 0, 1], port),
            "text": "GET / HTTP/1.1\r\n\r\n",
        }),
        kind: "socket",
        what: &format!("TCP to 127.0.0.1:{port}"),
        command: &format!("network net 127.0.0.1:{port}"),
    };
    let metadata = Tried {
        tool: "request",
        arguments: json!({ "message": message("http://169.254.169.254/latest/meta-data/") }),
        kind: "request",
        what: "http://169.254.169.254/latest/meta-data/",
        command: "network net http://169.254.169.254",
    };
    let lookup = Tried {
        tool: "look-up",
        arguments: json!({ "name": "payload.attacker.example" }),
        kind: "lookup",
        what: "payload.attacker.example",
        command: "network net payload.attacker.example",
    };
    denied(&client, &metadata).await;
    denied(&client, &lookup).await;
    // While nothing is granted, the name is not resolved.
    let unnamed = client.call("tcp", tcp.arguments.clone()).await;
    let told = text_of(&unnamed);
    assert_eq!(told["denied"][0]["kind"], "socket", "{told}");
    assert_eq!(told["denied"][0]["what"], "TCP", "{told}");
    for tried in [request, tcp] {
        let grant = denied(&client, &tried).await;
        assert_eq!(web.connections(), usize::from(tried.tool == "tcp"));
        granted(&client, &grant).await;
        let result = client.call(tried.tool, tried.arguments).await;
        assert_ne!(result.is_error, Some(true), "{result:?}");
    }
    assert_eq!(web.connections(), 2);
    let udp = Tried {
        tool: "udp",
        arguments: json!({ "remote": socket([127, 0, 0, 2], port), "text": "hello" }),
        kind: "socket",
        what: &format!("UDP to 127.0.0.2:{port}"),
        command: &format!("network net 127.0.0.2:{port}"),
    };
    denied(&client, &udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_files() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("opens.wat", OPENS)).await;
    let root = place.path("").canonicalize().unwrap();
    fs::create_dir(root.join("in")).unwrap();
    fs::write(root.join("in/file"), "public").unwrap();
    fs::write(root.join("secret"), "secret").unwrap();
    let grant = json!({
        "component_id": "opens",
        "details": { "uri": format!("fs://{}/in/**", root.display()), "access": ["read"] },
    });
    let tool = json!({ "tool": "grant-storage-permission", "arguments": grant });
    granted(&client, &tool).await;
    let opened = client.call("read", json!({ "path": "file" })).await;
    assert_ne!(opened.is_error, Some(true), "{opened:?}");

    for (tool, path, real) in [
        ("read", "in/../secret", "secret"),
        ("write", "in/file", "in/file"),
        ("write", "in/new", "in/new"),
    ] {
        let real = root.join(real).display().to_string();
        let path = format!("{}/{path}", root.display());
        let tried = Tried {
            tool,
            arguments: json!({ "path": &path }),
            kind: tool,
            what: &real,
            command: &format!("storage opens fs://{real} --access {tool}"),
        };
        let grant = denied(&client, &tried).await;
        granted(&client, &grant).await;
        let opened = client.call(tool, json!({ "path": &path })).await;
        assert_ne!(opened.is_error, Some(true), "{opened:?}");
    }
    assert!(root.join("in/new").exists());
}

/// Checks a denial that no grant can lift: none is suggested.
async fn refused(client: &Client, tool: &str, path: &str, reason: &str) {
    let result = client.call(tool, json!({ "path": path })).await;
    assert_eq!(result.is_error, Some(true), "{result:?}");
    let told = text_of(&result);
    let denied = told["denied"].as_array().expect("what was denied");
    assert_eq!(denied.len(), 1, "{told}");
    assert_eq!(denied[0]["reason"], reason, "{told}");
    assert_eq!(denied[0].get("grant"), None, "{told}");
    let hint = told["hint"].as_str().expect("a hint");
    assert!(!hint.contains("permission grant"), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_no_grant_would_change() {
    let place = Place::new();
    let root = place.path("").canonicalize().unwrap();
    let audit = root.join("audit.jsonl").display().to_string();
    let client = place.stdio_with(&["--audit-log", &audit]).await;
    client.load(&place.component("opens.wat", OPENS)).await;
    fs::create_dir(root.join("denied")).unwrap();
    fs::write(root.join("denied/file"), "denied").unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(root.join("pipe"))
        .status();
    assert!(fifo.unwrap().success());
    let root = root.display().to_string();
    let root = root.trim_end_matches('/');
    let policy = format!(
        "version: '1.0'\npermissions:\n  storage:\n    \
         allow: [{{uri: 'fs://{root}/**', access: [read, write]}}]\n    \
         deny: [{{uri: 'fs://{root}/denied/**'}}]\n"
    );
    let own = place.path("root/components/opens/opens.policy.yaml");
    fs::write(&own, &policy).unwrap();

    let at = |path: &str| format!("{root}/{path}");
    refused(&client, "read", &at("denied/file"), "denied-by-rule").await;
    refused(&client, "write", &at("denied/new"), "denied-by-rule").await;
    refused(&client, "read", &at("pipe"), "never").await;
    // The server's own files are never opened, even if a grant covers them.
    refused(&client, "read", &audit, "never").await;
    refused(&client, "write", &audit, "never").await;
    refused(
        &client,
        "read",
        &at("root/components/opens/opens.wasm"),
        "never",
    )
    .await;
    refused(&client, "write", own.to_str().unwrap(), "never").await;
    assert_eq!(fs::read_to_string(&own).unwrap(), policy);
    // A long name is shortened in messages, and the rest would name another file.
    let long = at(&format!("../{}", "x".repeat(300)));
    let result = client.call("read", json!({ "path": long })).await;
    let told = text_of(&result);
    assert_eq!(told["denied"][0]["reason"], "not-granted", "{told}");
    assert_eq!(told["denied"][0].get("grant"), None, "{told}");
}

/// A component reads all its variables at once, so the missing ones are among those that it
/// requested.
#[tokio::test(flavor = "multi_thread")]
async fn of_variables_that_a_component_asks_for() {
    let registry = Registry::start();
    let place = Place::new();
    let client = place.stdio().await;
    let request = "version: \"1.0\"\npermissions:\n  environment:\n    \
                   allow: [{key: TOKEN, value_from: secret}, {key: CITY}]\n";
    let wasm = binary(TELLTALE);
    let artifact = Artifact::new(&[(WASM, &wasm), (POLICY, request.as_bytes())]);
    registry.push("telltale", "v1", &artifact).await;
    client.load(&registry.reference("telltale:v1")).await;

    let failed = client.call("fail", json!({})).await;
    assert_eq!(failed.is_error, Some(true), "{failed:?}");
    let told = text_of(&failed);
    let keys = |told: &Value| -> Vec<String> {
        let denied = told["denied"].as_array().expect("what was missed");
        let of = |denied: &Value| denied["what"].as_str().unwrap().to_owned();
        denied.iter().map(of).collect()
    };
    assert_eq!(keys(&told), ["TOKEN", "CITY"], "{told}");
    granted(&client, &told["denied"][1]["grant"]).await;
    let told = text_of(&client.call("fail", json!({})).await);
    assert_eq!(keys(&told), ["TOKEN"], "{told}");
    // A call that does not fail reports no missing variable.
    let seen = client.call("env", json!({})).await;
    assert_ne!(seen.is_error, Some(true), "{seen:?}");
    assert_eq!(seen.meta, None);
}
