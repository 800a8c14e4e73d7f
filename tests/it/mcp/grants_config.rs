//! The operator's decisions in the configuration and options.

use rmcp::model::ProtocolVersion;
use serde_json::{Value, json};

use crate::mcp::grants::{REQUEST, publish, publish_request};
use crate::support::mcp::{Answer, Client, Ear, News, Place, text_of};
use crate::support::registry::Registry;

const APPLY: &str = "[policy]\nbundled = \"apply\"\n";

fn count(permissions: &Value) -> usize {
    permissions.as_array().unwrap().len()
}

fn questions(client: &mut Client) -> usize {
    let mut asked = 0;
    while let Ok(news) = client.news.try_recv() {
        asked += usize::from(matches!(news, News::Asked(_)));
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_applied_ignored_or_asked_about() {
    let registry = Registry::start();
    let uri = publish(&registry).await;
    for (bundled, granted, asked) in [("apply", 1, 0), ("ignore", 0, 0), ("ask", 1, 1)] {
        let place = Place::new();
        place.configure(&format!("[policy]\nbundled = \"{bundled}\"\n"));
        let mut client = place.stdio_answering(Answer::Yes).await;
        let loaded = client.load(&uri).await;
        assert_eq!(count(&loaded["granted_permissions"]), granted, "{bundled}");
        assert_eq!(count(&loaded["not_granted"]), 1 - granted, "{bundled}");
        assert_eq!(questions(&mut client), asked, "{bundled}");
        let id = json!({ "component_id": "asks" });
        let policy = client.call("get-policy", id).await.structured_content;
        let by = policy.unwrap()["grants"][0]["granted_by"].clone();
        match bundled {
            "apply" => assert_eq!(by, "config"),
            "ask" => assert_eq!(by, "elicitation"),
            _ => assert_eq!(by, Value::Null),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_adds_is_not_applied() {
    let registry = Registry::start();
    let uri = publish(&registry).await;
    let place = Place::new();
    place.configure(APPLY);
    let client = place.stdio_answering(Answer::Yes).await;
    client.load(&uri).await;
    let more = format!("{REQUEST}    - key: MORE\n");
    publish_request(&registry, &more).await;
    let loaded = client.load(&uri).await;
    assert_eq!(loaded["status"], "replaced");
    assert_eq!(count(&loaded["granted_permissions"]), 1, "{loaded}");
    assert_eq!(
        loaded["not_granted"][0]["permission"]["environment"]["key"], "MORE",
        "{loaded}"
    );
    // The same when it is requested once more.
    let again = client.load(&uri).await;
    assert_eq!(again["status"], "already-loaded");
    assert_eq!(count(&again["granted_permissions"]), 1, "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_grants_are_off_nothing_grants_and_nobody_is_asked() {
    let registry = Registry::start();
    let uri = publish(&registry).await;
    for bundled in ["apply", "ask"] {
        let place = Place::new();
        place.configure(&format!("[policy]\nbundled = \"{bundled}\"\n"));
        let ear = Ear::answering(ProtocolVersion::LATEST_WITH_INITIALIZE, Answer::Yes);
        let mut client = place.stdio_as(&["--no-grants"], ear).await;
        let loaded = client.load(&uri).await;
        assert_eq!(count(&loaded["granted_permissions"]), 0, "{loaded}");
        assert_eq!(count(&loaded["not_granted"]), 1, "{loaded}");
        for (kind, details) in [
            ("environment-variable", json!({ "key": "CITY" })),
            ("network", json!({ "host": "a.example" })),
            (
                "storage",
                json!({ "uri": "fs:///data", "access": ["read"] }),
            ),
        ] {
            let tool = format!("grant-{kind}-permission");
            let arguments = json!({ "component_id": "asks", "details": details });
            let refused = client.call(&tool, arguments).await;
            let told = text_of(&refused);
            assert_eq!(told["code"], "tool-disabled", "{told}");
            assert!(told["hint"].as_str().unwrap().contains("--no-grants"));
        }
        let id = json!({ "component_id": "asks" });
        let reset = client.call("reset-permission", id).await;
        assert_eq!(reset.structured_content.unwrap()["grants"], json!([]));
        assert_eq!(questions(&mut client), 0);
    }
}
