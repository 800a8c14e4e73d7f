//! Permissions over MCP: the tools, and the question to the user.

use std::sync::Arc;

use rmcp::model::{CallToolResponse, CallToolResult, InputRequiredResult, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, RoleClient, RunningService, serve_client_with_lifecycle};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Value, json};

use crate::runtime::limits_denials::ASKS;
use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::components::binary;
use crate::support::mcp::{
    Answer, Client, Ear, HttpServer, News, Place, install_tls, params, text_of,
};
use crate::support::registry::Registry;

pub const REQUEST: &str =
    "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - {key: CITY, value: Bern}\n";

pub async fn publish(registry: &Registry) -> String {
    publish_request(registry, REQUEST).await
}

pub async fn publish_request(registry: &Registry, request: &str) -> String {
    let wasm = binary(ASKS);
    let artifact = Artifact::new(&[(WASM, &wasm), (POLICY, request.as_bytes())]);
    registry.push("asks", "v1", &artifact).await;
    registry.reference("asks:v1")
}

/// Whether the component sees a variable, by either way of calling its tool.
async fn sees(client: &Client, key: &str) -> bool {
    let arguments = json!({ "key": key });
    let direct = client.call("try", arguments.clone()).await;
    let wanted = json!({ "name": "try", "arguments": arguments });
    let by_way = client.call("call-tool", wanted).await;
    assert_eq!(direct.structured_content, by_way.structured_content);
    direct.structured_content.unwrap()["result"]
        .as_bool()
        .unwrap()
}

/// Calls a tool that must succeed.
async fn done(client: &Client, tool: &str, arguments: Value) -> Value {
    let result = client.call(tool, arguments).await;
    assert_ne!(result.is_error, Some(true), "{tool}: {result:?}");
    result.structured_content.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hint_of_a_denial_sent_as_it_is_helps() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("asks.wat", ASKS)).await;
    let set = place.wassette(&["secret", "set", "asks", "CITY=Bern-by-the-river"]);
    assert!({ set }.output().await.unwrap().status.success());

    let denied = client.call("need", json!({ "key": "CITY" })).await;
    let grant = text_of(&denied)["denied"][0]["grant"].clone();
    let report = done(
        &client,
        grant["tool"].as_str().unwrap(),
        grant["arguments"].clone(),
    )
    .await;
    assert_eq!(report["grants"][0]["granted_by"], "mcp-tool");
    assert_ne!(
        client.call("need", json!({ "key": "CITY" })).await.is_error,
        Some(true)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_granted_shown_and_taken_back() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("asks.wat", ASKS)).await;
    let kinds = [
        ("environment-variable", json!({ "key": "CITY" })),
        ("network", json!({ "host": "*.example.com" })),
        ("network", json!({ "cidr": "10.0.0.0/8" })),
        (
            "storage",
            json!({ "uri": "fs:///data/**", "access": ["read", "write"] }),
        ),
    ];
    let arguments = |details: &Value| json!({ "component_id": "asks", "details": details });
    for (kind, details) in &kinds {
        done(
            &client,
            &format!("grant-{kind}-permission"),
            arguments(details),
        )
        .await;
    }
    let id = json!({ "component_id": "asks" });
    let policy = done(&client, "get-policy", id.clone()).await;
    assert_eq!(
        policy["grants"].as_array().unwrap().len(),
        kinds.len(),
        "{policy}"
    );
    for (kind, details) in &kinds[1..] {
        done(
            &client,
            &format!("revoke-{kind}-permission"),
            arguments(details),
        )
        .await;
    }
    let policy = done(&client, "reset-permission", id).await;
    assert_eq!(policy["grants"], json!([]));

    for (kind, details) in [
        ("network", json!({ "host": "a..b" })),
        ("network", json!({})),
        ("storage", json!({ "uri": "/data", "access": ["read"] })),
        ("storage", json!({ "uri": "fs:///data", "access": [] })),
        ("environment-variable", json!({ "key": "A=B" })),
        ("environment-variable", json!({ "host": "a.example" })),
    ] {
        let tool = format!("grant-{kind}-permission");
        let refused = client.call(&tool, arguments(&details)).await;
        assert_eq!(text_of(&refused)["code"], "invalid-arguments", "{details}");
    }
    let absent = json!({ "component_id": "absent", "details": { "host": "a.example" } });
    let refused = client.call("grant-network-permission", absent).await;
    assert_eq!(text_of(&refused)["code"], "component-not-found");
    let never = arguments(&json!({ "host": "a.example" }));
    let refused = client.call("revoke-network-permission", never).await;
    assert_eq!(refused.is_error, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_a_client_that_can_ask_decides() {
    let registry = Registry::start();
    let uri = publish(&registry).await;
    for answer in [
        Answer::Yes,
        Answer::Unticked,
        Answer::Decline,
        Answer::Cancel,
        Answer::Error,
    ] {
        let place = Place::new();
        decides(place.stdio_answering(answer).await, answer, &uri).await;
        let place = Place::new();
        let server = place.http(&[]).await;
        let ear = Ear::answering(ProtocolVersion::LATEST_WITH_INITIALIZE, answer);
        decides(server.client_as(ear).await, answer, &uri).await;
    }
}

async fn decides(mut client: Client, answer: Answer, uri: &str) {
    let loaded = client.load(uri).await;
    let News::Asked(question) = asked(&mut client).await else {
        unreachable!()
    };
    for told in ["asks", "asks:v1", "CITY"] {
        assert!(question.contains(told), "{question}");
    }
    let yes = answer == Answer::Yes;
    assert_eq!(
        loaded["granted_permissions"].as_array().unwrap().len(),
        usize::from(yes)
    );
    assert_eq!(sees(&client, "CITY").await, yes, "{answer:?}");

    let place_ = json!({ "component_id": "asks", "details": { "host": "a.example" } });
    let granted = client.call("grant-network-permission", place_).await;
    if yes {
        let grants = granted.structured_content.unwrap()["grants"].clone();
        assert!(
            grants
                .as_array()
                .unwrap()
                .iter()
                .all(|grant| grant["granted_by"] == "elicitation")
        );
    } else {
        assert_eq!(text_of(&granted)["code"], "declined", "{answer:?}");
    }
}

async fn asked(client: &mut Client) -> News {
    loop {
        if let news @ News::Asked(_) = client.next_news().await {
            return news;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_way_to_ask_nothing_is_granted_and_the_request_is_told() {
    let registry = Registry::start();
    let uri = publish(&registry).await;
    let place = Place::new();
    let client = place.stdio().await;
    let loaded = client.load(&uri).await;
    assert_eq!(loaded["granted_permissions"], json!([]));
    assert!(
        loaded["not_granted"][0]["description"]
            .as_str()
            .unwrap()
            .contains("CITY")
    );
    assert!(!sees(&client, "CITY").await);
    // With grants off, no one is asked and no tool grants anything.
    let strict = place.stdio_with(&["--no-grants"]).await;
    assert!(
        !strict
            .tool_names()
            .await
            .iter()
            .any(|name| name.starts_with("grant-"))
    );
}

/// A client of the revision in which servers make no requests.
pub async fn sessionless(
    server: &HttpServer,
    answer: Answer,
) -> RunningService<RoleClient, Arc<Ear>> {
    let transport = StreamableHttpClientTransport::from_uri(server.at("/mcp"));
    let (ear, _) = Ear::answering(ProtocolVersion::V_2026_07_28, answer);
    let lifecycle = ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    };
    serve_client_with_lifecycle(ear, transport, lifecycle)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessionless_client_asks_and_calls_again() {
    install_tls();
    let registry = Registry::start();
    let uri = publish(&registry).await;
    for answer in [Answer::Yes, Answer::Unticked, Answer::Decline] {
        let place = Place::new();
        let server = place.http(&[]).await;
        let client = sessionless(&server, answer).await;
        let call = async |tool: &str, arguments: Value| -> CallToolResult {
            client.call_tool(params(tool, arguments)).await.unwrap()
        };
        let loaded = call("load-component", json!({ "uri": uri })).await;
        let loaded = loaded.structured_content.unwrap();
        // The request with the answer finds the component loaded; for the user, both requests are
        // one load.
        assert_eq!(loaded["status"], "new");
        let yes = answer == Answer::Yes;
        let granted = loaded["granted_permissions"].as_array().unwrap();
        assert_eq!(granted.len(), usize::from(yes), "{answer:?}: {loaded}");
        let rule = json!({ "component_id": "asks", "details": { "host": "a.example" } });
        let granted = call("grant-network-permission", rule).await;
        if yes {
            let grants = granted.structured_content.unwrap()["grants"].clone();
            assert_eq!(grants.as_array().unwrap().len(), 2);
            assert_eq!(grants[0]["granted_by"], "elicitation");
        } else {
            assert_eq!(text_of(&granted)["code"], "declined", "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_good_for_its_own_question_only() {
    install_tls();
    let place = Place::new();
    let file = place.component("asks.wat", ASKS);
    let server = place.http(&[]).await;
    let client = sessionless(&server, Answer::Yes).await;
    let load = params("load-component", json!({ "uri": file }));
    client.call_tool(load).await.unwrap();
    let grant = |host: &str| {
        let rule = json!({ "component_id": "asks", "details": { "host": host } });
        params("grant-network-permission", rule)
    };
    let asked = async |params| -> InputRequiredResult {
        match client.call_tool_once(params).await.unwrap() {
            CallToolResponse::InputRequired(asked) => asked,
            other => panic!("{other:?}"),
        }
    };
    let questions = asked(grant("a.example")).await.input_requests.unwrap();
    let key = questions.keys().next().unwrap().clone();
    let policy = params("get-policy", json!({ "component_id": "asks" }));
    let policy = client.call_tool(policy).await.unwrap();
    assert_eq!(policy.structured_content.unwrap()["grants"], json!([]));

    let yes = json!({ "action": "accept", "content": { "grant": true } });
    let answered = |host: &str, answer: &Value| {
        grant(host).with_input_responses([(key.clone(), answer.clone())].into())
    };
    // The same yes does not apply to another host.
    let again = asked(answered("b.example", &yes)).await.input_requests;
    assert!(!again.unwrap().contains_key(&key));
    for nonsense in [json!(true), json!({ "action": "accept" }), json!({})] {
        let refused = client.call_tool(answered("a.example", &nonsense)).await;
        assert_eq!(text_of(&refused.unwrap())["code"], "declined", "{nonsense}");
    }
    let granted = client.call_tool(answered("a.example", &yes)).await.unwrap();
    let grants = granted.structured_content.unwrap()["grants"].clone();
    assert_eq!(grants[0]["granted_by"], "elicitation");
}
