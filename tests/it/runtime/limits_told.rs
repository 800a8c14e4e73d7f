//! Reports of limits to the agent.

use std::fs;

use serde_json::{Value, json};

use crate::support::components_limits::{CLOCKS, FLOOD, HOG, many_memories};
use crate::support::components_rt::{MEMORY, OUTPUT};
use crate::support::mcp::{CALC, Client, Place, text_of};
#[cfg(target_os = "linux")]
use crate::support::processor;

/// Sets limits, as another process may do while the server runs.
fn limit(place: &Place, id: &str, limits: &str) {
    let path = place.path(&format!("root/components/{id}/{id}.policy.yaml"));
    let text = format!("version: \"1.0\"\npermissions:\n  resources: {{limits: {limits}}}\n");
    fs::write(path, text).unwrap();
}

async fn told(client: &Client, tool: &str, arguments: Value) -> Value {
    let result = client.call(tool, arguments).await;
    assert_eq!(result.is_error, Some(true), "{result:?}");
    text_of(&result)
}

#[tokio::test]
async fn memory() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("memory.wat", MEMORY)).await;
    let modest = json!({ "pages": 10_000 });

    // The server's own limit is lower than the request.
    let got = client.call("modest", modest.clone()).await;
    assert_eq!(text_of(&got), json!({ "result": u32::MAX }));

    limit(&place, "memory", "{memory: 16Mi}");
    for tool in ["careful", "greedy"] {
        let told = told(&client, tool, json!({})).await;
        assert_eq!(
            told,
            json!({
                "code": "memory-limit",
                "message": "The tool needs more than 16 MiB of memory",
                "causes": [],
                "hint": "`wassette permission grant memory memory 32Mi` allows it more",
            })
        );
    }

    limit(&place, "memory", "{memory: 1Gi}");
    let got = client.call("modest", modest).await;
    assert_eq!(text_of(&got), json!({ "result": 1 }));
}

#[tokio::test]
async fn time_with_and_without_host_calls() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    client.load(&place.component("clocks.wat", CLOCKS)).await;
    for (id, tool) in [("calc", "spin"), ("clocks", "ask-clock")] {
        limit(&place, id, "{time: 300ms}");
        let told = told(&client, tool, json!({})).await;
        assert_eq!(told["code"], "call-timeout");
        assert_eq!(
            told["message"],
            "The call took longer than 300 ms and was stopped"
        );
        let hint = format!("`resources.limits.time` in the policy of `{id}` allows more time");
        assert_eq!(told["hint"], hint);
    }
}

#[tokio::test]
async fn a_share_of_a_processor() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    limit(&place, "calc", "{cpu: 20m, time: 2s}");
    let told = told(&client, "spin", json!({})).await;
    assert_eq!(told["code"], "call-timeout");
    let hint = told["hint"].as_str().unwrap();
    assert!(hint.contains("`cpu: 20m`, held it back for"), "{hint}");
    // A short call never reaches it.
    limit(&place, "calc", "{cpu: 20m}");
    let sum = client.call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(text_of(&sum), json!({ "result": 3 }));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn calls_in_flight() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("calc.wat", CALC)).await;
    limit(&place, "calc", "{instances: 1, time: 10m}");
    let before = client.cpu_time();
    let spin = client.call("spin", json!({}));
    let add = async {
        // Wait until the endless call has the only slot.
        processor::until_running(before, || client.cpu_time()).await;
        limit(&place, "calc", "{instances: 1, time: 300ms}");
        told(&client, "add", json!({ "a": 1, "b": 1 })).await
    };
    let told = tokio::select! {
        ended = spin => panic!("{ended:?}"),
        told = add => told,
    };
    assert_eq!(told["code"], "instances-limit");
    assert_eq!(
        told["message"],
        "The component runs 1 call at once, and it did not end within 300 ms"
    );
    assert_eq!(
        told["hint"],
        "try again when other calls have ended, or set `resources.limits.instances` \
         in the policy of `calc`"
    );
}

#[tokio::test]
async fn results_and_what_is_printed() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("output.wat", OUTPUT)).await;
    client.load(&place.component("flood.wat", FLOOD)).await;
    limit(&place, "output", "{output: 64Ki}");
    for (tool, n) in [("repeat", 65_536), ("bytes", 20 << 20)] {
        let told = told(&client, tool, json!({ "n": n })).await;
        assert_eq!(told["code"], "output-limit");
        assert_eq!(told["message"], "The result is larger than 64 KiB");
    }

    limit(&place, "flood", "{output: 64Ki}");
    // Eight pieces on each stream are exactly the limit.
    let printed = client.call("both", json!({ "pieces": 8 })).await;
    assert_ne!(printed.is_error, Some(true), "{printed:?}");
    for (tool, arguments) in [
        ("both", json!({ "pieces": 9 })),
        ("out", json!({})),
        ("err", json!({})),
    ] {
        assert_eq!(
            told(&client, tool, arguments).await,
            json!({
                "code": "output-limit",
                "message": "The tool printed more than 64 KiB",
                "causes": [],
                "hint": "ask the tool for less, or set `resources.limits.output` in the \
                         policy of `flood`",
            }),
            "{tool}"
        );
    }
}

#[tokio::test]
async fn what_no_grant_raises() {
    let place = Place::new();
    let client = place.stdio().await;
    client.load(&place.component("hog.wat", HOG)).await;
    client.load(&place.component("clocks.wat", CLOCKS)).await;
    let parts = place.component("parts.wat", &many_memories(16));
    client.load(&parts).await;
    let limits = [
        (
            "table",
            "table-limit",
            "The tool needs a table of more than 100000 elements",
        ),
        (
            "handles",
            "resource-limit",
            "The tool holds more than 100000 handles at once",
        ),
        (
            "timers",
            "resource-limit",
            "The tool holds more than 10000 of the host's resources at once",
        ),
        (
            "stack",
            "stack-limit",
            "The tool's functions call each other too deeply: they need more than 1 MiB of stack",
        ),
        (
            "f",
            "resource-limit",
            "The component has more than 16 memories",
        ),
    ];
    for (tool, code, message) in limits {
        let told = told(&client, tool, json!({})).await;
        assert_eq!(told["code"], code, "{told}");
        assert_eq!(told["message"], message);
        let hint = told["hint"].as_str().unwrap();
        assert!(hint.starts_with("no grant raises this limit"), "{hint}");
    }
}
