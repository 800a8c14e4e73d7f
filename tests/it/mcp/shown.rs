//! Agents see the same text of a component as a person would.

use serde_json::{Value, json};

use crate::support::components::with_section;
use crate::support::http::{Mcp, message};
use crate::support::mcp::Place;

/// Tag, override, zero-width and filler characters around plain words.
const HIDDEN: &str =
    "Adds\u{200b}\u{202e} two\u{2066}\u{e0049}\u{e0047} \u{3164}numbers\u{7}.\u{fe0f}";

const FORBIDDEN: [char; 9] = [
    '\u{200b}',
    '\u{202e}',
    '\u{2066}',
    '\u{e0049}',
    '\u{e0047}',
    '\u{3164}',
    '\u{7}',
    '\u{fe0f}',
    '\u{feff}',
];

fn component() -> Vec<u8> {
    let docs = json!({ "worlds": { "w": { "func_exports": { "add": { "docs": HIDDEN } } } } });
    let wasm = wat::parse_str(crate::support::mcp::CALC).unwrap();
    with_section(
        wasm,
        "package-docs",
        &[&[1], docs.to_string().as_bytes()].concat(),
    )
}

async fn listed(client: &Mcp) -> Value {
    let list = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" });
    let text = client.post(&list).await.text().await.unwrap();
    assert!(!text.contains(FORBIDDEN), "{text:?}");
    assert!(!text.contains("\\u"), "{text:?}");
    let tools = message(&text)["result"]["tools"].clone();
    let tools = tools.as_array().unwrap();
    tools
        .iter()
        .find(|tool| tool["name"] == "add")
        .unwrap()
        .clone()
}

#[tokio::test]
async fn hidden_characters_of_a_component_reach_no_agent() {
    let place = Place::new();
    let file = place.path("calc.wasm");
    std::fs::write(&file, component()).unwrap();
    let server = place.http(&[]).await;
    let client = Mcp::open(&server.url, None).await;
    let loaded = client.call("load-component", json!({ "uri": file })).await;
    assert_eq!(loaded["result"]["isError"], false, "{loaded}");
    assert_eq!(listed(&client).await["description"], "Adds two numbers.");
}

#[tokio::test]
async fn nor_do_those_of_metadata_written_by_something_else() {
    let place = Place::new();
    let file = place.path("calc.wasm");
    std::fs::write(&file, component()).unwrap();
    let server = place.http(&[]).await;
    let client = Mcp::open(&server.url, None).await;
    client.call("load-component", json!({ "uri": file })).await;
    drop(server);

    let metadata = place.path("root/components/calc/calc.metadata.json");
    let text = std::fs::read_to_string(&metadata).unwrap();
    let mut stored: Value = serde_json::from_str(&text).unwrap();
    for tool in stored["tools"].as_array_mut().unwrap() {
        tool["description"] = json!(format!("{HIDDEN}{}", "x".repeat(5000)));
        tool["input_schema"]["description"] = json!(HIDDEN);
        tool["input_schema"]["properties"]["a"]["title"] = json!(HIDDEN);
    }
    // As a version without checksums wrote it.
    stored["format"] = json!(1);
    stored.as_object_mut().unwrap().remove("checksum");
    std::fs::write(&metadata, stored.to_string()).unwrap();

    let server = place.http(&[]).await;
    let client = Mcp::open(&server.url, None).await;
    let add = listed(&client).await;
    let description = add["description"].as_str().unwrap();
    assert!(
        description.starts_with("Adds two numbers.xxx"),
        "{description}"
    );
    assert_eq!(description.chars().count(), 2001);
    assert_eq!(add["inputSchema"]["description"], "Adds two numbers.");
    let sum = client.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(sum["result"]["structuredContent"]["result"], 3);
}
