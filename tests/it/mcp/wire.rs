//! Messages that clients of any kind send, and the answers over each transport.

use std::process::Stdio;

use reqwest::{Client as Http, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use wassette::http::HttpOptions;

use super::raw::Raw;
use crate::support::http::{InProcess, Mcp, Sse, initialize, message};
use crate::support::mcp::{BIG, Place};
use crate::support::wait::within;

fn kind(response: &Response) -> String {
    response.headers()["content-type"].to_str().unwrap().into()
}

#[tokio::test]
async fn answers_are_of_a_kind_that_the_client_accepts() {
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::open(&server.url, None).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let (json, events) = ("application/json", "text/event-stream");
    for (accept, expected) in [
        (Some("text/event-stream"), events),
        (Some("application/json"), json),
        (Some("application/json, text/event-stream"), json),
        (Some("*/*"), json),
        (Some("application/json, text/*"), json),
        (Some("text/html"), json),
        (None, json),
    ] {
        for (path, revision) in [
            ("/mcp", "2025-06-18"),
            ("/mcp/", "2025-06-18"),
            ("/mcp", "2026-07-28"),
        ] {
            let mut request = Http::new()
                .post(format!("{}{path}", server.url))
                .header("content-type", "application/json")
                .header("mcp-protocol-version", revision);
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            let request = if revision == "2026-07-28" {
                let mut list: Value = serde_json::from_str(&list).unwrap();
                list["params"]["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": revision,
                    "io.modelcontextprotocol/clientInfo": { "name": "x", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                });
                request
                    .header("mcp-method", "tools/list")
                    .body(list.to_string())
            } else {
                request
                    .header("mcp-session-id", client.session.clone().unwrap())
                    .body(list.clone())
            };
            let answer = request.send().await.unwrap();
            let place = format!("{accept:?} {path} {revision}");
            assert_eq!(answer.status(), StatusCode::OK, "{place}");
            assert!(kind(&answer).starts_with(expected), "{place}");
            let answer = message(&answer.text().await.unwrap());
            assert!(answer["result"]["tools"].is_array(), "{place}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_large_answer_is_no_event() {
    let server = InProcess::start(HttpOptions::default()).await;
    server.load("big.wat", BIG).await;
    let client = Mcp::open(&server.url, None).await;
    let answer = client.send("big", json!({ "n": 600_000 })).await;
    assert_eq!(kind(&answer), "application/json");
    let answer = message(&answer.text().await.unwrap());
    let text = answer["result"]["structuredContent"]["result"].as_str();
    assert_eq!(text.unwrap().len(), 600_000);
}

#[tokio::test]
async fn a_session_ends_with_204_and_is_gone() {
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::open(&server.url, None).await;
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let ended = client.request(Method::DELETE).send().await.unwrap();
        assert_eq!(ended.status(), status);
    }
    let ping = json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" });
    assert_eq!(client.post(&ping).await.status(), StatusCode::NOT_FOUND);
}

fn batch() -> Value {
    json!([
        { "jsonrpc": "2.0", "id": 71, "method": "ping" },
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        { "jsonrpc": "2.0", "id": 72 },
        { "jsonrpc": "2.0", "id": "73", "method": "tools/list" },
        { "jsonrpc": "2.0", "id": 71, "method": "tools/list" },
    ])
}

fn is_answer_to_batch(answer: &Value) {
    let answers = answer.as_array().expect("an array");
    let by_id = |id: Value| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answers.len(), 4, "{answer}");
    // Of two requests with one id, the second is an error.
    let twice: Vec<_> = answers.iter().filter(|answer| answer["id"] == 71).collect();
    assert_eq!(twice.len(), 2, "{answer}");
    assert!(twice.iter().any(|answer| answer["result"].is_object()));
    assert!(twice.iter().any(|answer| answer["error"]["code"] == -32600));
    assert_eq!(by_id(json!(72))["error"]["code"], -32600);
    assert!(by_id(json!("73"))["result"]["tools"].is_array());
}

#[tokio::test]
async fn batches_are_answered_where_the_revision_has_them() {
    let place = Place::new();
    let mut raw = Raw::start(&place, "2025-03-26").await;
    raw.say(&batch().to_string()).await;
    is_answer_to_batch(&raw.hear().await);
    let mut raw = Raw::start(&place, "2025-06-18").await;
    raw.say(&batch().to_string()).await;
    let refused = raw.hear().await;
    assert_eq!(refused["id"], Value::Null);
    assert_eq!(refused["error"]["code"], -32600, "{refused}");

    let server = InProcess::start(HttpOptions::default()).await;
    for (revision, status) in [
        ("2025-03-26", StatusCode::OK),
        ("2025-06-18", StatusCode::BAD_REQUEST),
    ] {
        let mut first = initialize();
        first["params"]["protocolVersion"] = json!(revision);
        let mut client = Mcp::new(&server.url, None);
        let opened = client.post(&first).await;
        let session = opened.headers()["mcp-session-id"].to_str().unwrap();
        client.session = Some(session.to_owned());
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        client.post(&initialized).await;
        let answer = client.post(&batch()).await;
        assert_eq!(answer.status(), status, "{revision}");
        if status == StatusCode::OK {
            is_answer_to_batch(&message(&answer.text().await.unwrap()));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_always_answered() {
    let place = Place::new();
    let mut raw = Raw::start(&place, "2025-06-18").await;
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::open(&server.url, None).await;
    let head = r#"{"jsonrpc":"2.0","id":77,"method":"#;
    let long = "y".repeat(5 << 20);
    let surrogate =
        format!(r#"{head}"tools/call","params":{{"name":"x","arguments":{{"q":"a\ud83d"}}}}}}"#);
    for (line, id) in [
        (surrogate.into_bytes(), json!(77)),
        (
            [head.as_bytes(), b"\"ping\",\"params\":{\"x\":\"\xff\"}}"].concat(),
            json!(77),
        ),
        (format!(r#"{head}"ping""#).into_bytes(), Value::Null),
        (b"hello".to_vec(), Value::Null),
        (
            format!(r#"{head}"ping","params":{{"x":"{long}"}}}}"#).into_bytes(),
            Value::Null,
        ),
    ] {
        raw.say_bytes(&line).await;
        let answer = raw.hear().await;
        assert_eq!(answer["id"], id, "{answer}");
        assert!(answer["error"]["code"].is_i64(), "{answer}");
        if line.len() > 4 << 20 {
            let text = answer["error"]["message"].as_str().unwrap();
            assert!(text.contains("max_body"), "{text}");
            continue;
        }
        let posted = client.request(Method::POST).body(line).send().await;
        let posted = posted.unwrap();
        assert_eq!(posted.status(), StatusCode::BAD_REQUEST);
        let answer: Value = serde_json::from_str(&posted.text().await.unwrap()).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
    }
    // The session continues.
    raw.say(r#"{"jsonrpc":"2.0","id":78,"method":"ping"}"#)
        .await;
    assert_eq!(raw.hear().await["id"], 78);
}

/// A message before `initialize` neither ends the server nor is answered in terms of a revision
/// that the client does not know. The last line needs no line end.
#[tokio::test]
async fn a_session_begins_with_initialize() {
    let list = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let refused = |answer: &Value| {
        assert_eq!(answer["id"], 7, "{answer}");
        let text = answer["error"]["message"].as_str().unwrap();
        assert!(text.contains("send `initialize` first"), "{text}");
    };
    let place = Place::new();
    let mut command = place.command(&["--transport", "stdio"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let sent = format!("{initialized}\n{list}\n{}", initialize());
    let mut input = child.stdin.take().unwrap();
    input.write_all(sent.as_bytes()).await.unwrap();
    drop(input);
    let ended = within("the end of the server", child.wait_with_output()).await;
    let output = String::from_utf8(ended.unwrap().stdout).unwrap();
    let answers: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 2, "{output}");
    refused(&answers[0]);
    assert!(answers[1]["result"]["serverInfo"].is_object(), "{output}");

    let server = InProcess::start(HttpOptions::default()).await;
    let sse = Sse::open(&server.url, None).await;
    assert_eq!(sse.post(&initialized).await.status(), StatusCode::ACCEPTED);
    let answer = sse.post(&list).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    refused(&serde_json::from_str(&answer.text().await.unwrap()).unwrap());
    assert_eq!(sse.post(&initialize()).await.status(), StatusCode::ACCEPTED);
}

/// The client's self-description is kept for the whole session, so it is limited.
#[tokio::test]
async fn a_large_introduction_is_refused() {
    let mut large = initialize();
    large["params"]["capabilities"] =
        json!({ "experimental": { "x": { "a": vec![json!([]); 40_000] } } });
    let server = InProcess::start(HttpOptions::default()).await;
    let client = Mcp::new(&server.url, None);
    let refused = client.post(&large).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let refused: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(refused["id"], 1);
    let sse = Sse::open(&server.url, None).await;
    assert_eq!(sse.post(&large).await.status(), StatusCode::BAD_REQUEST);
    let mut meta = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {} });
    meta["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": large["params"]["capabilities"],
    });
    let refused = client.post(&meta).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);

    let place = Place::new();
    let mut raw = Raw::start(&place, "2025-06-18").await;
    raw.say(&large.to_string()).await;
    assert!(raw.hear().await["error"]["code"].is_i64());
}
