//! The audit log's line for each call.

use rmcp::model::ProtocolVersion;
use serde_json::{Value, json};

use crate::runtime::limits_denials::ASKS;
use crate::support::http::Mcp;
use crate::support::mcp::{Answer, CALC, Ear, Place};
#[cfg(target_os = "linux")]
use crate::support::processor;
use crate::support::wait::{until, within};

const TOKEN: &str = "alice-7f3c9a52e1b84d06";

fn lines(place: &Place) -> Vec<Value> {
    let text = std::fs::read_to_string(place.path("audit.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[tokio::test]
async fn each_call_is_told_without_what_was_said() {
    let place = Place::new();
    let (file, token) = (place.path("audit.jsonl"), place.secret("token", TOKEN));
    let args = [
        "--audit-log",
        file.to_str().unwrap(),
        "--auth-token-file",
        &token,
    ];
    let server = place.http(&args).await;
    let client = Mcp::open(&server.url, Some(TOKEN)).await;
    let uri = place.component("calc.wat", CALC);
    client.call("load-component", json!({ "uri": uri })).await;
    client.call("add", json!({ "a": 271_828, "b": 1 })).await;
    client.call("add", json!({ "a": "word" })).await;
    client.call("gone", json!({ "key": "314159" })).await;
    client
        .call("unload-component", json!({ "id": "calc" }))
        .await;

    let lines = lines(&place);
    let told = |field: &str| -> Vec<&str> {
        let texts = lines.iter().map(|line| line[field].as_str().unwrap_or("-"));
        texts.collect()
    };
    let tools = ["load-component", "add", "add", "gone", "unload-component"];
    assert_eq!(told("tool"), tools);
    assert_eq!(told("component"), ["calc", "calc", "calc", "-", "calc"]);
    assert_eq!(told("outcome"), ["ok", "ok", "failed", "refused", "ok"]);
    assert_eq!(
        told("code"),
        ["-", "-", "invalid-arguments", "unknown-tool", "-"]
    );
    for line in &lines {
        assert_eq!(line["event"], "call");
        assert_eq!(line["transport"], "streamable-http");
        assert_eq!(line["client"], json!({ "name": "byhand", "version": "1" }));
        assert!(line["duration_us"].as_u64().is_some(), "{line}");
        assert_eq!(line["denials"], json!([]));
        let time = line["time"].as_str().unwrap();
        assert_eq!(time.len(), "2026-01-01T00:00:00.000000Z".len(), "{time}");
        let session = line["session"].as_str().unwrap();
        assert!(!client.session.as_ref().unwrap().contains(session));
        assert_eq!(line["credential"].as_str().unwrap().len(), 8);
    }
    let file = std::fs::read_to_string(&file).unwrap();
    let logged = || {
        let log = server.log();
        log.iter()
            .filter(|line| line.contains("duration_us"))
            .count()
    };
    until("five calls are logged", || logged() == 5).await;
    let log = server.log().join("\n");
    for secret in [
        "271828",
        "271829",
        "word",
        "314159",
        TOKEN,
        client.session.as_ref().unwrap(),
    ] {
        assert!(!file.contains(secret), "{secret}");
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn stdio_is_recorded_too_and_lines_are_added() {
    let place = Place::new();
    let file = place.path("audit.jsonl");
    std::fs::write(&file, "{\"event\":\"earlier\"}\n").unwrap();
    let client = place
        .stdio_with(&["--audit-log", file.to_str().unwrap()])
        .await;
    client.call("list-components", json!({})).await;
    let lines = lines(&place);
    assert_eq!(lines[0]["event"], "earlier");
    assert_eq!(lines[1]["transport"], "stdio");
    assert_eq!(lines[1]["session"], Value::Null);
}

#[tokio::test]
async fn an_audit_log_that_cannot_be_opened_stops_the_start() {
    let place = Place::new();
    let absent = place.path("absent/audit.jsonl");
    let args = [
        "--transport",
        "sse",
        "--audit-log",
        absent.to_str().unwrap(),
    ];
    let ended = place.command(&args).output().await.unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success());
    assert!(stderr.contains("audit.jsonl"), "{stderr}");
    assert!(!stderr.contains("listening"), "{stderr}");
}

#[tokio::test]
async fn calls_stop_while_they_cannot_be_recorded() {
    let place = Place::new();
    let folder = place.path("logs");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("audit.jsonl");
    let server = place.http(&["--audit-log", file.to_str().unwrap()]).await;
    let client = Mcp::open(&server.url, None).await;
    std::fs::remove_dir_all(&folder).unwrap();
    // This call ran before its line could fail.
    client.call("list-components", json!({})).await;
    let refused = client.call("list-components", json!({})).await;
    let text = refused["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("audit-log-failed"), "{text}");
    std::fs::create_dir(&folder).unwrap();
    let listed = client.call("list-components", json!({})).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");
    let text = || std::fs::read_to_string(&file).unwrap();
    until("the line of the call", || text().contains("\"call\"")).await;
    let text = text();
    assert_eq!(text.matches("\"call\"").count(), 1, "{text}");
    assert!(text.contains("resumed"), "{text}");
}

/// The file may be moved away, as for rotation, and anything may be put in its place. No call
/// waits for a pipe, and none is recorded in another file.
#[tokio::test]
async fn a_pipe_or_link_in_its_place_stops_calls_and_nothing_else() {
    let place = Place::new();
    let (file, other) = (place.path("audit.jsonl"), place.path("other"));
    let server = place.http(&["--audit-log", file.to_str().unwrap()]).await;
    let client = Mcp::open(&server.url, None).await;
    std::fs::write(&other, "mine").unwrap();
    let pipe = || {
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        assert!(made.unwrap().success());
    };
    let link = || std::os::unix::fs::symlink(&other, &file).unwrap();
    for put_there in [&pipe as &dyn Fn(), &link] {
        std::fs::remove_file(&file).unwrap();
        put_there();
        // The first call ran before its line could fail.
        client.call("list-components", json!({})).await;
        let refused = client.call("list-components", json!({})).await;
        let text = refused["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("audit-log-failed"), "{text}");
        let health = within("its health", reqwest::get(server.at("/healthz"))).await;
        assert!(health.unwrap().status().is_success());
    }
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
    std::fs::remove_file(&file).unwrap();
    let listed = client.call("list-components", json!({})).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_call_that_was_cancelled_is_told_of() {
    let place = Place::new();
    let file = place.path("audit.jsonl");
    let server = place.http(&["--audit-log", file.to_str().unwrap()]).await;
    let client = Mcp::open(&server.url, None).await;
    let uri = place.component("asks.wat", ASKS);
    client.call("load-component", json!({ "uri": uri })).await;
    // Compiled before, so that the call is cancelled after the guest was denied something.
    client.call("try", json!({ "key": "CITY" })).await;
    let brood = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": "brood", "arguments": { "key": "CITY" } } });
    let before = server.cpu_time();
    let brooding = client.post(&brood).await;
    // It loops after its request was denied.
    processor::until_running(before, || server.cpu_time()).await;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": { "requestId": 7 } });
    client.post(&cancel).await;
    until("a line for it", || lines(&place).len() == 3).await;
    drop(brooding);
    let line = lines(&place).remove(2);
    assert_eq!(line["tool"], "brood", "{line}");
    assert_eq!(line["component"], "asks", "{line}");
    assert_eq!(line["denials"][0]["what"], "CITY", "{line}");
    assert_eq!(line["outcome"], "failed", "{line}");
    assert_eq!(line["code"], "cancelled", "{line}");
}

#[tokio::test]
async fn denials_and_the_failures_of_the_servers_own_tools_are_told() {
    let place = Place::new();
    let file = place.path("audit.jsonl");
    let ear = Ear::answering(ProtocolVersion::LATEST_WITH_INITIALIZE, Answer::Decline);
    let args = ["--audit-log", file.to_str().unwrap()];
    let client = place.stdio_as(&args, ear).await;
    client.load(&place.component("asks.wat", ASKS)).await;
    client.call("try", json!({ "key": "CITY" })).await;
    let rule = json!({ "component_id": "asks", "details": { "host": "a.example" } });
    let absent = place.path("absent.wat");
    for (tool, arguments, component, code) in [
        ("grant-network-permission", rule.clone(), "asks", "declined"),
        (
            "revoke-network-permission",
            rule,
            "asks",
            "permission-not-granted",
        ),
        (
            "unload-component",
            json!({ "id": "gone" }),
            "gone",
            "component-not-found",
        ),
        (
            "load-component",
            json!({ "uri": absent }),
            "absent",
            "not-for-agents",
        ),
        (
            "load-component",
            json!({ "uri": absent, "name": "named" }),
            "named",
            "not-for-agents",
        ),
        (
            "get-policy",
            json!({ "component_id": "No Id!" }),
            "",
            "invalid-arguments",
        ),
        (
            "reset-permission",
            json!({ "component": "asks" }),
            "",
            "invalid-arguments",
        ),
    ] {
        client.call(tool, arguments).await;
        let line = lines(&place).pop().unwrap();
        assert_eq!(line["tool"], tool);
        assert_eq!(
            line["component"].as_str().unwrap_or(""),
            component,
            "{line}"
        );
        assert_eq!(line["code"], code, "{line}");
        assert_eq!(line["outcome"], "failed", "{line}");
    }
    let tried = &lines(&place)[1];
    let denial = json!({
        "kind": "environment", "what": "CITY", "reason": "not-granted", "times": 1,
    });
    assert_eq!(tried["denials"], json!([denial]), "{tried}");
    assert_eq!(tried["outcome"], "ok", "{tried}");
}
