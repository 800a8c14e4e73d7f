//! Permissions over MCP: the tools, and the question to the user.

use serde_json::{Value, json};

use crate::limits_denials::ASKS;
use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::components::binary;
use crate::support::mcp::{Answer, Client, News, Place, text_of};
use crate::support::registry::Registry;

const REQUEST: &str =
    "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - {key: CITY, value: Bern}\n";

async fn publish(registry: &Registry) -> String {
    let wasm = binary(ASKS);
    let artifact = Artifact::new(&[(WASM, &wasm), (POLICY, REQUEST.as_bytes())]);
    registry.push("asks", "v1", &artifact).await;
    registry.reference("asks:v1")
}

async fn sees(client: &Client, key: &str) -> bool {
    let result = client.call("try", json!({ "key": key })).await;
    result.structured_content.unwrap()["result"]
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
        let mut client = place.stdio_answering(answer).await;
        let loaded = client.load(&uri).await;
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
    // Nobody is asked where grants are off, and no tool grants any.
    let strict = place.stdio_with(&["--no-grants"]).await;
    assert!(
        !strict
            .tool_names()
            .await
            .iter()
            .any(|name| name.starts_with("grant-"))
    );
}
