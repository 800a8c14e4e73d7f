//! An answer applies to the component in the question, not to another one that has its id by then.

use serde_json::{Value, json};

use crate::mcp::grants::{publish, sessionless};
use crate::runtime::limits_denials::ASKS;
use crate::support::mcp::{Answer, Client, News, Place, install_tls, params, text_of};
use crate::support::registry::Registry;

const GRANT: &str = "grant-network-permission";

fn rule() -> Value {
    json!({ "component_id": "asks", "details": { "host": "a.example" } })
}

/// Another component, for the same id.
fn other(place: &Place) -> Value {
    let wat = ASKS.replacen("(component", "(component $other", 1);
    json!({ "uri": place.component("other.wat", &wat), "name": "asks" })
}

/// Calls a tool, and replaces the component while the user is asked.
async fn swapped_during(
    client: &mut Client,
    place: &Place,
    tool: &str,
    arguments: Value,
) -> (rmcp::model::CallToolResult, Value) {
    let (service, news) = (&client.service, &mut client.news);
    let thinking = service.service().thinking.lock().await;
    let asking = service.call_tool(params(tool, arguments));
    let swapping = async {
        while !matches!(news.recv().await.unwrap(), News::Asked(_)) {}
        let unload = params("unload-component", json!({ "id": "asks" }));
        service.call_tool(unload).await.unwrap();
        let loaded = service.call_tool(params("load-component", other(place)));
        let loaded = loaded.await.unwrap();
        assert_ne!(loaded.is_error, Some(true), "{loaded:?}");
        drop(thinking);
    };
    let (answered, ()) = tokio::join!(asking, swapping);
    let policy = params("get-policy", json!({ "component_id": "asks" }));
    let policy = service.call_tool(policy).await.unwrap();
    let grants = policy.structured_content.unwrap()["grants"].clone();
    (answered.unwrap(), grants)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_to_a_grant_does_not_reach_what_took_the_id() {
    let place = Place::new();
    let mut client = place.stdio_answering(Answer::Yes).await;
    client.load(&place.component("asks.wat", ASKS)).await;
    let (answered, grants) = swapped_during(&mut client, &place, GRANT, rule()).await;
    assert_eq!(text_of(&answered)["code"], "component-changed");
    assert_eq!(grants, json!([]));
    // Asked about the present component, the same yes applies.
    let granted = client.call(GRANT, rule()).await.structured_content;
    assert_eq!(granted.unwrap()["grants"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_to_a_load_does_not_reach_what_took_the_id() {
    let registry = Registry::start();
    let load = json!({ "uri": publish(&registry).await });
    let place = Place::new();
    let mut client = place.stdio_answering(Answer::Yes).await;
    let (answered, grants) = swapped_during(&mut client, &place, "load-component", load).await;
    let loaded = answered.structured_content.unwrap();
    assert_eq!(loaded["granted_permissions"], json!([]), "{loaded}");
    assert_eq!(grants, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessionless_yes_does_not_reach_what_took_the_id() {
    install_tls();
    let place = Place::new();
    let server = place.http(&[]).await;
    let client = sessionless(&server, Answer::Yes).await;
    let done = async |tool: &str, arguments: Value| {
        let result = client.call_tool(params(tool, arguments)).await.unwrap();
        assert_ne!(result.is_error, Some(true), "{result:?}");
        result.structured_content.unwrap()
    };
    let asked = async |params| {
        let answer = client.call_tool_once(params).await.unwrap();
        let rmcp::model::CallToolResponse::InputRequired(asked) = answer else {
            panic!("{answer:?}");
        };
        let questions = asked.input_requests.unwrap();
        questions.keys().next().unwrap().clone()
    };
    let uri = place.component("asks.wat", ASKS);
    done("load-component", json!({ "uri": uri })).await;
    let key = asked(params(GRANT, rule())).await;
    done("unload-component", json!({ "id": "asks" })).await;
    // The same name and address, so that the question reads the same.
    let wat = ASKS.replacen("(component", "(component $other", 1);
    place.component("asks.wat", &wat);
    done("load-component", json!({ "uri": uri })).await;

    let yes = json!({ "action": "accept", "content": { "grant": true } });
    let answered = params(GRANT, rule()).with_input_responses([(key.clone(), yes)].into());
    assert_ne!(asked(answered).await, key);
    let policy = done("get-policy", json!({ "component_id": "asks" })).await;
    assert_eq!(policy["grants"], json!([]));
}
