//! A C program takes memory, time and stack without end, as the agent sees it.

use serde_json::{Value, json};

use crate::support::escape::Escape;

#[tokio::test]
async fn memory() {
    let escape = Escape::limited("{memory: 32Mi}").await;
    // A refused `malloc` is not an error: the program handles it.
    let got = escape.returns("allocate", json!({})).await;
    assert!((1..32).contains(&got.as_u64().unwrap()), "{got} MiB");
    let told = escape.fails("grow-memory", json!({})).await;
    assert_eq!(
        told,
        json!({
            "code": "memory-limit",
            "message": "The tool needs more than 32 MiB of memory",
            "causes": [],
            "hint": "`wassette permission grant memory escape 64Mi` allows it more",
        })
    );
    // If the program ignores the refusal, it fails, and the refusal is reported as the cause.
    escape
        .meets(
            "text",
            json!({ "bytes": 64 << 20 }),
            "memory-limit",
            "The tool needs more than 32 MiB of memory",
        )
        .await;
}

#[tokio::test]
async fn tables() {
    let escape = Escape::new().await;
    let message = "The tool needs a table of more than 100000 elements";
    escape
        .meets("grow-table", json!({}), "table-limit", message)
        .await;
}

#[tokio::test]
async fn stack() {
    let escape = Escape::new().await;
    let message =
        "The tool's functions call each other too deeply: they need more than 1 MiB of stack";
    escape
        .meets("recurse", json!({}), "stack-limit", message)
        .await;
    // The stack that C keeps in the guest's own memory overflows first.
    let told = escape.fails("recurse-wide", json!({})).await;
    assert_eq!(told["code"], "trap", "{told}");
    assert_eq!(
        told["message"],
        "The tool trapped: out of bounds memory access"
    );
}

#[tokio::test]
async fn endless_loops() {
    let escape = Escape::new().await;
    for tool in ["spin", "ask-clock", "ask-random", "doze", "sleep"] {
        let told = escape.never_ends(tool).await;
        let expected = json!({
            "code": "call-timeout",
            "message": "The call took longer than 400 ms and was stopped",
            "causes": [],
            "hint": "`resources.limits.time` in the policy of `escape` allows more time",
        });
        assert_eq!(told, expected, "{tool}");
    }
}

#[tokio::test]
async fn floods_of_output() {
    let escape = Escape::limited("{output: 64Ki}").await;
    for tool in ["print", "complain"] {
        let message = "The tool printed more than 64 KiB";
        escape.meets(tool, json!({}), "output-limit", message).await;
    }
    let message = "The result is larger than 64 KiB";
    for (tool, arguments) in [
        ("text", json!({ "bytes": 64 << 20 })),
        ("numbers", json!({ "count": 1_000_000 })),
    ] {
        escape.meets(tool, arguments, "output-limit", message).await;
    }
}

#[tokio::test]
async fn large_results() {
    let escape = Escape::new().await;
    let message = "The result is larger than 16 MiB";
    let arguments = json!({ "bytes": 64 << 20 });
    escape
        .meets("text", arguments, "output-limit", message)
        .await;
    // A million numbers are many, but within the limit.
    let numbers = escape
        .returns("numbers", json!({ "count": 1_000_000 }))
        .await;
    let numbers: &Vec<Value> = numbers.as_array().unwrap();
    assert_eq!(
        (numbers.len(), &numbers[999_999]),
        (1_000_000, &json!(999_999))
    );
}
