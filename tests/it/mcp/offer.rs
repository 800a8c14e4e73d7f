//! Which of the server's own tools are offered.

use serde_json::{Value, json};

use crate::support::http::Mcp;
use crate::support::mcp::{CALC, HttpServer, Place};

async fn server(place: &Place, option: &str) -> HttpServer {
    let seeded = place.http(&[]).await;
    let client = Mcp::open(&seeded.url, None).await;
    let uri = place.component("calc.wat", CALC);
    client.call("load-component", json!({ "uri": uri })).await;
    for kind in ["environment-variable", "network", "storage"] {
        let tool = format!("grant-{kind}-permission");
        let details = details_of(&tool);
        let arguments = json!({ "component_id": "calc", "details": details });
        client.call(&tool, arguments).await;
    }
    place.http(&[option]).await
}

async fn names(client: &Mcp) -> Vec<String> {
    let list = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" });
    let text = client.post(&list).await.text().await.unwrap();
    let tools = crate::support::http::message(&text)["result"]["tools"].clone();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    tools.as_array().unwrap().iter().map(name).collect()
}

async fn is_off(client: &Mcp, tool: &str, option: &str) {
    // Arguments that would have an effect if the tool were on.
    let arguments = match tool {
        "load-component" => json!({ "uri": "file:///absent.wat" }),
        "unload-component" => json!({ "id": "calc" }),
        "reset-permission" => json!({ "component_id": "calc" }),
        _ => json!({ "component_id": "calc", "details": details_of(tool) }),
    };
    let result = client.call(tool, arguments).await["result"].clone();
    assert_eq!(result["isError"], true, "{result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    let error: Value = serde_json::from_str(text).unwrap();
    assert_eq!(error["code"], "tool-disabled", "{error}");
    assert!(error["hint"].as_str().unwrap().contains(option), "{error}");
}

fn details_of(tool: &str) -> Value {
    match tool {
        tool if tool.contains("environment") => json!({ "key": "CITY" }),
        tool if tool.contains("network") => json!({ "host": "a.example" }),
        _ => json!({ "uri": "fs:///data", "access": ["read"] }),
    }
}

async fn adds(client: &Mcp) {
    let sum = client.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(sum["result"]["structuredContent"]["result"], 3, "{sum}");
}

#[tokio::test]
async fn read_only_shows_and_calls_and_changes_nothing() {
    let place = Place::new();
    let server = server(&place, "--read-only").await;
    let client = Mcp::open(&server.url, None).await;
    let names = names(&client).await;
    let all = wassette::mcp::RESERVED_NAMES;
    let kept = [
        "call-tool",
        "get-policy",
        "list-components",
        "search-components",
    ];
    for gone in all.into_iter().filter(|name| !kept.contains(name)) {
        assert!(!names.iter().any(|name| name == gone), "{names:?}");
        is_off(&client, gone, "--read-only").await;
    }
    for kept in kept {
        assert!(names.iter().any(|name| name == kept), "{names:?}");
    }
    let listed = client.call("list-components", json!({})).await;
    let components = &listed["result"]["structuredContent"]["components"];
    assert_eq!(components[0]["id"], "calc", "{listed}");
    let policy = client.call("get-policy", json!({ "component_id": "calc" }));
    let policy = policy.await["result"]["structuredContent"].clone();
    assert_eq!(policy["grants"].as_array().unwrap().len(), 3, "{policy}");
    adds(&client).await;
}

#[tokio::test]
async fn without_built_in_tools_the_components_remain() {
    let place = Place::new();
    let server = server(&place, "--disable-builtin-tools").await;
    let client = Mcp::open(&server.url, None).await;
    assert_eq!(names(&client).await, ["add", "spin"]);
    for gone in ["list-components", "load-component"] {
        is_off(&client, gone, "--disable-builtin-tools").await;
    }
    adds(&client).await;
}
