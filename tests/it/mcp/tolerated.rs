//! Arguments that clients and models send in other forms than the schema's.

use serde_json::{Value, json};

use crate::support::http::{Mcp, initialize, message};
use crate::support::mcp::{CALC, Client, Place, text_of};

async fn result(client: &Client, tool: &str, arguments: Value) -> Value {
    let result = client.call(tool, arguments.clone()).await;
    assert_ne!(
        result.is_error,
        Some(true),
        "{tool} {arguments}: {result:?}"
    );
    json!(result)
}

async fn refused(client: &Client, tool: &str, arguments: Value) -> Value {
    let result = client.call(tool, arguments.clone()).await;
    assert_eq!(
        result.is_error,
        Some(true),
        "{tool} {arguments}: {result:?}"
    );
    text_of(&result)
}

#[tokio::test]
async fn what_clients_add_is_passed_over_and_named() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    let ignored = |result: &Value| result["_meta"]["wassette/ignored-arguments"].clone();

    let sum = json!({ "a": 1, "b": 2, "toolCallId": "call_1" });
    let sum = result(&client, "add", sum).await;
    assert_eq!(sum["structuredContent"], json!({ "result": 3 }));
    assert_eq!(ignored(&sum), json!(["toolCallId"]));
    let plain = result(&client, "add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(ignored(&plain), Value::Null);
    let listed = result(&client, "list-components", json!({ "all": true })).await;
    assert_eq!(ignored(&listed), json!(["all"]));

    // A possible restriction is an error that lists the declared arguments.
    let id = json!({ "id": "calc", "dry_run": true });
    let error = refused(&client, "unload-component", id).await;
    assert_eq!(error["code"], "invalid-arguments");
    assert!(
        error["message"].as_str().unwrap().contains("`id`"),
        "{error}"
    );
    let known = json!({ "id": "calc", "dummy": "" });
    let details = json!({ "host": "a.example" });
    for (tool, arguments) in [
        (
            "load-component",
            json!({ "uri": "file:///a.wasm", "toolCallId": "1" }),
        ),
        (
            "grant-network-permission",
            json!({ "component_id": "calc", "details": details, "toolCallId": "1" }),
        ),
        (
            "revoke-network-permission",
            json!({ "component_id": "calc", "details": details, "toolCallId": "1" }),
        ),
    ] {
        let error = refused(&client, tool, arguments).await;
        assert_eq!(error["code"], "invalid-arguments", "{error}");
    }
    // Below the top level too.
    let details = json!({ "host": "a.example", "toolCallId": "1" });
    let rule = json!({ "component_id": "calc", "details": details });
    refused(&client, "grant-network-permission", rule).await;
    let unloaded = result(&client, "unload-component", known).await;
    assert_eq!(ignored(&unloaded), json!(["dummy"]));
}

#[tokio::test]
async fn other_words_for_the_same_are_taken() {
    let place = Place::new();
    let client = place.stdio().await;
    let uri = place.component("calc.wat", CALC);
    let twice = json!({ "uri": uri, "path": uri, "name": null, "digest": null });
    result(&client, "load-component", twice).await;
    let padded = json!({ "uri": format!(" {uri}\n") });
    result(&client, "load-component", padded).await;
    for list in [json!(["a.example", null]), json!(["a.example"])] {
        let rule = json!({ "id": "calc", "details": list });
        let error = refused(&client, "grant-network-permission", rule).await;
        let text = error["message"].as_str().unwrap();
        assert!(text.contains("`details` is not an object"), "{text}");
    }
    let different = json!({ "uri": uri, "path": "file:///other.wat" });
    let error = refused(&client, "load-component", different).await;
    assert_eq!(error["code"], "invalid-arguments", "{error}");

    for details in [
        json!("{\"host\": \"a.example\"}"),
        json!({ "host": "a.example", "cidr": null }),
    ] {
        let rule = json!({ "id": "calc", "component_id": "calc", "details": details });
        result(&client, "grant-network-permission", rule).await;
    }
    let files = json!({ "uri": "fs:///data", "access": "[\"read\"]" });
    let rule = json!({ "id": "calc", "details": files });
    result(&client, "grant-storage-permission", rule).await;
    let policy = result(&client, "get-policy", json!({ "id": "calc" })).await;
    let grants = &policy["structuredContent"]["grants"];
    assert_eq!(grants.as_array().unwrap().len(), 2, "{grants}");
    let two = json!({ "id": "calc", "component_id": "other" });
    refused(&client, "reset-permission", two).await;

    let wanted = json!({ "name": "add", "arguments": "{\"a\": 1, \"b\": 2}" });
    let sum = result(&client, "call-tool", wanted).await;
    assert_eq!(sum["structuredContent"], json!({ "result": 3 }));
    result(
        &client,
        "unload-component",
        json!({ "component_id": "calc" }),
    )
    .await;
}

#[tokio::test]
async fn names_in_another_spelling_are_understood() {
    let place = Place::new();
    let client = place.stdio().await;
    let uri = place.component("calc.wat", CALC);
    client.load(&uri).await;
    let sum = result(&client, "add", json!({ "A": 1, "b_": 2 })).await;
    assert_eq!(sum["structuredContent"], json!({ "result": 3 }));
    assert_eq!(sum["_meta"]["wassette/ignored-arguments"], Value::Null);
    let respelled = |result: &Value| result["_meta"]["wassette/respelled-arguments"].clone();
    assert_eq!(respelled(&sum), json!({ "args.A": "a", "args.b_": "b" }));
    let both = result(&client, "add", json!({ "A": 5, "b": 2, "a": 1, "B": 3 })).await;
    assert_eq!(both["structuredContent"], json!({ "result": 3 }));
    let ignored = &both["_meta"]["wassette/ignored-arguments"];
    assert_eq!(ignored.as_array().unwrap().len(), 2, "{both}");
    for spelled in ["componentId", "component-id", "id"] {
        result(&client, "get-policy", json!({ spelled: "calc" })).await;
    }
    let rule = json!({ "componentId": "calc", "details": { "Host": "a.example" } });
    let granted = result(&client, "grant-network-permission", rule).await;
    let names = json!({ "args.componentId": "component_id", "args.details.Host": "host" });
    assert_eq!(respelled(&granted), names);
    let plain = result(&client, "add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(respelled(&plain), Value::Null);
}

#[tokio::test]
async fn parameters_in_another_form_are_understood() {
    let place = Place::new();
    let server = place.http(&[]).await;
    let client = Mcp::open(&server.url, None).await;
    for params in [
        json!([]),
        json!({ "_meta": [] }),
        json!({ "cursor": "" }),
        json!({ "cursor": null }),
    ] {
        let list = json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": params });
        let text = client.post(&list).await.text().await.unwrap();
        assert!(
            message(&text)["result"]["tools"].is_array(),
            "{params}: {text}"
        );
    }
    let listed = client.call("list-components", json!("")).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");
    for params in [
        json!({ "protocolVersion": "2025-06-18", "capabilities": [] }),
        json!({ "capabilities": {}, "clientInfo": { "name": "x" } }),
        json!([]),
    ] {
        let mut first = initialize();
        first["params"] = params;
        let other = Mcp::new(&server.url, None);
        let opened = other.post(&first).await;
        assert!(opened.headers().contains_key("mcp-session-id"), "{first}");
        let answer = message(&opened.text().await.unwrap());
        assert!(answer["result"]["protocolVersion"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn arguments_in_another_form_and_lists_of_other_kinds() {
    let place = Place::new();
    let server = place.http(&[]).await;
    let client = Mcp::open(&server.url, None).await;
    let uri = place.component("calc.wat", CALC);
    client.call("load-component", json!({ "uri": uri })).await;
    let sum = client.call("add", json!("{\"a\": 1, \"b\": 2}")).await;
    assert_eq!(sum["result"]["structuredContent"]["result"], 3, "{sum}");
    let listed = client.call("list-components", json!([])).await;
    assert_eq!(listed["result"]["isError"], false, "{listed}");
    let nonsense = client.send("add", json!(7)).await.text().await.unwrap();
    let nonsense = message(&nonsense);
    assert_eq!(nonsense["error"]["code"], -32602, "{nonsense}");

    for (method, list) in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        let request = json!({ "jsonrpc": "2.0", "id": 9, "method": method });
        let text = client.post(&request).await.text().await.unwrap();
        assert_eq!(message(&text)["result"][list], json!([]), "{text}");
    }
    let other = json!({ "jsonrpc": "2.0", "id": 9, "method": "no/\u{202e}such" });
    let text = client.post(&other).await.text().await.unwrap();
    assert_eq!(message(&text)["error"]["code"], -32601, "{text}");
    assert!(!text.contains('\u{202e}'), "{text}");
}
