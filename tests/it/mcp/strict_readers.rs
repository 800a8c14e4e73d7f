//! Checks every tool and every result by the rules of the strictest clients.

use std::sync::Mutex;

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::support::javascript::check_round_trip;
use crate::support::mcp::{CALC, Client, Place};
use crate::support::strict::{check_result, check_tool};

/// Functions of every type, with long names.
const WIT: &str = "package a-rather-long-namespace:with-a-rather-long-package;
world w {
    export an-interface-with-a-long-name: interface {
        record point { x: u64, y: option<s64> }
        variant shape { dot, at(point), several(list<point>) }
        flags mode { read, write }
        enum level { low, high }
        synchronise-all-customer-records-across-all-regions: func(
            pair: tuple<u64, string, option<f64>>,
            shape: shape,
            modes: list<mode>,
            level: level,
            a-parameter-whose-name-has-many-more-characters-than-any-provider-would-accept: bool,
        ) -> result<tuple<point, char>, string>;
        nested: func(a: option<option<u64>>, b: list<list<u8>>, c: result<_, point>) -> list<s64>;
        nothing: func();
    }
}";

fn every_type() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().module(&module).unwrap();
    { encoder }.encode().unwrap()
}

/// Returns its argument in a tuple, and as a 64-bit number.
const ECHO: &str = r#"
(component
  (core module $m
    (memory (export "mem") 1)
    (func (export "same") (param i64) (result i64) local.get 0)
    (func (export "swap") (param i64 i64) (result i32)
      (i64.store (i32.const 16) (local.get 1))
      (i64.store (i32.const 24) (local.get 0))
      (i32.const 16)))
  (core instance $i (instantiate $m))
  (func (export "same") (param "v" s64) (result s64) (canon lift (core func $i "same")))
  (func (export "named")
    (param "a-parameter-whose-name-has-many-more-characters-than-any-provider-would-accept" s64)
    (result s64)
    (canon lift (core func $i "same")))
  (func (export "swap") (param "pair" (tuple u64 u64)) (result (tuple u64 u64))
    (canon lift (core func $i "swap") (memory (core memory $i "mem")))))
"#;

/// A client that records what it reads.
struct Reader {
    client: Client,
    read: Mutex<Vec<Value>>,
}

impl Reader {
    async fn of(place: &Place) -> Self {
        Reader {
            client: place.stdio().await,
            read: Mutex::default(),
        }
    }

    async fn tools(&self) -> Vec<Value> {
        let tools = self.client.service.list_all_tools().await.unwrap();
        let tools: Vec<Value> = tools.iter().map(|tool| json!(tool)).collect();
        self.read.lock().unwrap().extend_from_slice(&tools);
        tools
    }

    /// Calls a tool and checks its answer.
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let tools = self.tools().await;
        let schema = tools
            .iter()
            .find(|offered| offered["name"] == tool)
            .unwrap();
        let result = self.client.call(tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{tool}: {result:?}");
        let content = result.structured_content.expect(tool);
        if let Some(schema) = schema.get("outputSchema") {
            check_result(schema, &content);
        }
        self.read.lock().unwrap().push(content.clone());
        content
    }

    /// Checks that JavaScript reads the same values.
    fn check_javascript(&self) {
        check_round_trip(&self.read.lock().unwrap());
    }
}

#[tokio::test]
async fn every_tool_and_every_result_suits_all_readers() {
    let place = Place::new();
    let client = Reader::of(&place).await;
    let types = place.path("types.wasm");
    std::fs::write(&types, every_type()).unwrap();
    client.call("load-component", json!({ "uri": types })).await;
    let echo = place.component("echo.wat", ECHO);
    client.call("load-component", json!({ "uri": echo })).await;
    for tool in client.tools().await {
        check_tool(&tool);
    }

    for whole in [i64::MAX, i64::MIN, 1_915_883_588_174_806_058, 5] {
        for given in [json!(whole), json!(whole.to_string())] {
            let same = client.call("same", json!({ "v": given })).await;
            assert_eq!(
                same["result"].to_string().trim_matches('"'),
                whole.to_string()
            );
        }
    }
    let pair = json!({ "pair": [u64::MAX, 7] });
    let swapped = client.call("swap", pair).await;
    assert_eq!(swapped, json!({ "result": [7, u64::MAX.to_string()] }));
    let wanted = json!({ "name": "same", "arguments": { "v": i64::MAX } });
    let by_way = client.call("call-tool", wanted).await;
    assert_eq!(by_way, json!({ "result": i64::MAX.to_string() }));

    let offered = client.tools().await;
    let named = offered.iter().find(|tool| tool["name"] == "named").unwrap();
    let short = named["inputSchema"]["required"][0].as_str().unwrap();
    let long = "a-parameter-whose-name-has-many-more-characters-than-any-provider-would-accept";
    for name in [short, long] {
        let seven = client.call("named", json!({ (name): 7 })).await;
        assert_eq!(seven, json!({ "result": 7 }), "{name}");
    }

    let id = json!({ "component_id": "echo" });
    let rule = json!({ "component_id": "echo", "details": { "host": "a.example" } });
    for (tool, arguments) in [
        ("list-components", json!({})),
        ("search-components", json!({})),
        ("get-policy", id.clone()),
        ("grant-network-permission", rule.clone()),
        ("revoke-network-permission", rule),
        ("reset-permission", id),
        ("unload-component", json!({ "id": "echo" })),
    ] {
        client.call(tool, arguments).await;
    }
    client.check_javascript();
}

#[tokio::test]
async fn schemas_of_an_older_version_are_made_to_suit_them() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    drop(client);
    let metadata = place.path("root/components/calc/calc.metadata.json");
    let text = std::fs::read_to_string(&metadata).unwrap();
    let mut stored: Value = serde_json::from_str(&text).unwrap();
    let tool = &mut stored["tools"][0];
    tool["input_schema"]["properties"]["a"] = json!({
        "type": "array", "items": false, "minItems": 1, "maxItems": 1,
        "prefixItems": [{ "oneOf": [{ "type": "integer", "maximum": u64::MAX }] }],
    });
    // As a version without checksums wrote it.
    stored["format"] = json!(1);
    stored.as_object_mut().unwrap().remove("checksum");
    std::fs::write(&metadata, stored.to_string()).unwrap();
    let reader = Reader::of(&place).await;
    for tool in reader.tools().await {
        check_tool(&tool);
    }
    reader.check_javascript();
}
