//! A JavaScript program tries to escape, as the agent sees it: its engine is an ordinary guest.

use std::fs;

use serde_json::json;

use crate::support::escape::Escape;
use crate::support::installed;

async fn javascript() -> Escape {
    let component = fs::read(installed::component("escape-js.wasm")).unwrap();
    Escape::of(&component).await
}

#[tokio::test]
async fn sees_nothing_of_the_machine() {
    let escape = javascript().await;
    // It has no current directory, and no module such as those of Node.
    assert_eq!(escape.returns("see", json!({})).await, json!(["nowhere"]));
    escape.permit("escape", "environment: {allow: [{key: REGION, value: eu}]}");
    let seen = escape.returns("see", json!({})).await;
    assert_eq!(seen, json!(["REGION=eu", "nowhere"]));
}

#[tokio::test]
async fn meets_the_limits() {
    let escape = javascript().await;
    escape.limit("{memory: 64Mi, time: 10m}");
    let message = "The tool needs more than 64 MiB of memory";
    for tool in ["allocate", "double"] {
        escape.meets(tool, json!({}), "memory-limit", message).await;
    }
    let message =
        "The tool's functions call each other too deeply: they need more than 1 MiB of stack";
    escape
        .meets("recurse", json!({}), "stack-limit", message)
        .await;
    for tool in ["spin", "backtrack"] {
        let told = escape.never_ends(tool).await;
        assert_eq!(told["code"], "call-timeout", "{tool}: {told}");
        let message = "The call took longer than 400 ms and was stopped";
        assert_eq!(told["message"], message, "{tool}");
    }
}
