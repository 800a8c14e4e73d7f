//! Clients that read the tool list once: they call a tool loaded later with `call-tool`, which
//! works like a direct call.

use std::sync::Arc;

use rmcp::model::{CallToolResult, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, RoleClient, RunningService, serve_client_with_lifecycle};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};

use super::grants::sessionless;
use super::sse::Session;
use crate::runtime::limits_denials::ASKS;
use crate::support::mcp::{Answer, CALC, Ear, Place, install_tls, params, text_of};

type Connection = RunningService<RoleClient, Arc<Ear>>;

/// Lists once, loads a component, and calls its tools.
async fn lists_once(client: &Connection, uri: &str) {
    let listed = client.list_all_tools().await.unwrap();
    let call = |tool: &str, arguments: Value| client.call_tool(params(tool, arguments));
    let hints = listed.iter().find(|tool| tool.name == "call-tool").unwrap();
    let hints = hints.annotations.clone().unwrap();
    assert_eq!(hints.destructive_hint, Some(true));
    assert_eq!(hints.open_world_hint, Some(true));

    let loaded = call("load-component", json!({ "uri": uri })).await.unwrap();
    let loaded = loaded.structured_content.unwrap();
    let add = &loaded["tools"][0];
    assert_eq!(add["name"], "add", "{loaded}");
    assert!(add["description"].is_string(), "{loaded}");
    assert_eq!(
        add["inputSchema"]["required"],
        json!(["a", "b"]),
        "{loaded}"
    );

    let wanted = json!({ "name": add["name"], "arguments": { "a": 2, "b": 40 } });
    let sum = call("call-tool", wanted).await.unwrap();
    assert_eq!(sum.structured_content, Some(json!({ "result": 42 })));
    assert_eq!(text_of(&sum), json!({ "result": 42 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_stdio() {
    let place = Place::new();
    let uri = place.component("calc.wat", CALC);
    lists_once(&place.stdio().await.service, &uri).await;

    let other = Place::new();
    let transport = TokioChildProcess::new(other.command(&[])).unwrap();
    let (ear, _news) = Ear::new(ProtocolVersion::V_2026_07_28);
    let lifecycle = ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    };
    let client = serve_client_with_lifecycle(ear, transport, lifecycle);
    lists_once(&client.await.unwrap(), &uri).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_streamable_http() {
    install_tls();
    let place = Place::new();
    let uri = place.component("calc.wat", CALC);
    for version in [ProtocolVersion::V_2025_03_26, ProtocolVersion::V_2025_11_25] {
        let place = Place::new();
        let server = place.http(&[]).await;
        lists_once(&server.client(version).await.service, &uri).await;
    }
    let server = place.http(&[]).await;
    lists_once(&sessionless(&server, Answer::Decline).await, &uri).await;
}

#[tokio::test]
async fn over_sse() {
    let place = Place::new();
    let server = place.http(&[]).await;
    let mut session = Session::open(&server).await;
    session.initialize().await;
    let (listed, _) = session.request(2, "tools/list", json!({})).await;
    assert_eq!(listed["tools"][0]["name"], "call-tool", "{listed}");
    let uri = place.component("calc.wat", CALC);
    let load = json!({ "name": "load-component", "arguments": { "uri": uri } });
    let (loaded, _) = session.request(3, "tools/call", load).await;
    let name = &loaded["structuredContent"]["tools"][0]["name"];
    let arguments = json!({ "name": name, "arguments": { "a": 2, "b": 40 } });
    let call = json!({ "name": "call-tool", "arguments": arguments });
    let (sum, _) = session.request(4, "tools/call", call).await;
    assert_eq!(sum["structuredContent"]["result"], 42, "{sum}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_by_way_of_it_is_recorded_as_one_of_the_tool() {
    let place = Place::new();
    let file = place.path("audit.jsonl");
    let args = ["--audit-log", file.to_str().unwrap()];
    let client = place
        .stdio_as(&args, Ear::new(ProtocolVersion::LATEST_WITH_INITIALIZE))
        .await;
    client.load(&place.component("asks.wat", ASKS)).await;
    let need = json!({ "key": "CITY" });
    let direct = client.call("need", need.clone()).await;
    let wanted = json!({ "name": "need", "arguments": need });
    let by_way = client.call("call-tool", wanted).await;
    assert_eq!(text_of(&direct), text_of(&by_way));

    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (mut last, mut before) = (lines.pop().unwrap(), lines.pop().unwrap());
    assert_eq!(last["via"], "call-tool", "{last}");
    assert_eq!(before["via"], Value::Null, "{before}");
    assert_eq!(last["denials"][0]["what"], "CITY", "{last}");
    for line in [&mut last, &mut before] {
        for own in ["via", "time", "duration_us"] {
            line.as_object_mut().unwrap().remove(own);
        }
    }
    assert_eq!(last, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_calls_neither_itself_nor_the_servers_own_tools() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    let failed = async |arguments: Value| -> Value {
        let result: CallToolResult = client.call("call-tool", arguments.clone()).await;
        assert_eq!(result.is_error, Some(true), "{arguments}");
        text_of(&result)
    };
    for own in [
        "call-tool",
        "unload-component",
        "mcp__wassette__load-component",
    ] {
        let arguments = json!({ "name": own, "arguments": { "id": "calc" } });
        let error = failed(arguments).await;
        assert_eq!(error["code"], "invalid-arguments", "{own}: {error}");
        assert!(error["message"].as_str().unwrap().contains("own name"));
    }
    for arguments in [json!({}), json!({ "name": "add", "arguments": 7 })] {
        let error = failed(arguments).await;
        assert_eq!(error["code"], "invalid-arguments", "{error}");
    }
    let error = failed(json!({ "name": "ad" })).await;
    assert_eq!(error["code"], "unknown-tool", "{error}");
    assert!(error["hint"].as_str().unwrap().contains("`add`"), "{error}");
    // The component is still there.
    let sum = client.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(sum.structured_content, Some(json!({ "result": 3 })));
}

#[tokio::test]
async fn the_operator_can_take_it_away() {
    let place = Place::new();
    place.configure("[agents]\ncall_tool = false\n");
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    assert!(!client.tool_names().await.contains(&"call-tool".to_owned()));
    let wanted = json!({ "name": "add", "arguments": { "a": 1, "b": 2 } });
    let error = text_of(&client.call("call-tool", wanted).await);
    assert_eq!(error["code"], "tool-disabled", "{error}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains("[agents] call_tool"), "{hint}");
    let info = client.service.peer_info().unwrap();
    assert!(!info.instructions.as_ref().unwrap().contains("call-tool"));
}

#[tokio::test]
async fn names_with_a_clients_prefix_are_taken() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    let sum = json!({ "a": 1, "b": 2 });
    let direct = client.call("mcp__wassette__add", sum.clone()).await;
    assert_eq!(direct.structured_content, Some(json!({ "result": 3 })));
    let wanted = json!({ "name": "mcp__wassette__add", "arguments": sum });
    let by_way = client.call("mcp__wassette__call-tool", wanted).await;
    assert_eq!(by_way.structured_content, Some(json!({ "result": 3 })));
}

#[tokio::test]
async fn instructions_and_descriptions_fit_clients_that_cut_them() {
    let client = Place::new().stdio().await;
    let info = client.service.peer_info().unwrap();
    let instructions = info.instructions.clone().unwrap();
    assert!(instructions.len() <= 1900, "{}", instructions.len());
    let (first, _) = instructions.split_once(". ").unwrap();
    assert!(first.contains("`load-component`"), "{first}");
    assert!(first.contains("`call-tool"), "{first}");
}
