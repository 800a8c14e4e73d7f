//! A program without grants creates host resources without end, or as large as it can.

use serde_json::json;

use crate::support::escape::Escape;

#[tokio::test]
async fn a_million_that_are_dropped_leave_nothing() {
    let escape = Escape::new().await;
    for thing in ["timer", "stream", "fields", "request"] {
        let arguments = json!({ "thing": thing, "times": 1_000_000 });
        escape.returns("make-and-drop", arguments).await;
    }
    #[cfg(target_os = "linux")]
    {
        let peak = escape.client.peak_memory() >> 20;
        assert!(peak < 150, "{peak} MiB");
    }
}

#[tokio::test]
async fn those_that_are_kept_are_counted() {
    let escape = Escape::new().await;
    let message = "The tool holds more than 10000 of the host's resources at once";
    for thing in ["timer", "stream", "fields"] {
        let arguments = json!({ "thing": thing });
        escape
            .meets("hoard", arguments, "resource-limit", message)
            .await;
    }
    // A single request may be large, but this many exceed the guest's memory.
    let message = "The tool needs more than 512 MiB of memory";
    let arguments = json!({ "thing": "request" });
    escape
        .meets("hoard", arguments, "memory-limit", message)
        .await;
}

/// The host accepts no larger messages than some server would.
#[tokio::test]
async fn parts_of_requests_are_bounded() {
    let escape = Escape::new().await;
    let fill = async |part: &str, kib: u32, times: u32| {
        let arguments = json!({ "part": part, "kib": kib, "times": times });
        escape.returns("fill", arguments).await
    };
    for (part, kib) in [("header", 24), ("path", 31), ("authority", 1), ("body", 32)] {
        assert_eq!(fill(part, kib, 10).await, kib * 10, "{part}");
    }
    // Refused parts were not kept: four times 60 MiB would be visible.
    for part in ["method", "path", "authority"] {
        assert_eq!(fill(part, 4096, 60).await, 0, "{part}");
    }
    assert_eq!(fill("body", 4096, 60).await, 32 * 60);
    let arguments = json!({ "part": "header", "kib": 100, "times": 1 });
    let told = escape.fails("fill", arguments).await;
    assert_eq!(
        told["message"],
        "The tool trapped: total size of fields exceeds limit"
    );
    #[cfg(target_os = "linux")]
    {
        let peak = escape.client.peak_memory() >> 20;
        assert!(peak < 150, "{peak} MiB");
    }
}

/// The memory that the host keeps for a guest counts as the guest's.
#[tokio::test]
async fn full_messages_count_as_memory() {
    let escape = Escape::limited("{memory: 64Mi}").await;
    for (part, kib) in [("header", 24), ("path", 31), ("body", 32)] {
        let few = json!({ "part": part, "kib": kib, "times": 500 });
        assert_eq!(escape.returns("fill", few).await, kib * 500, "{part}");
        let many = json!({ "part": part, "kib": kib, "times": 5000 });
        let message = "The tool needs more than 64 MiB of memory";
        escape.meets("fill", many, "memory-limit", message).await;
    }
    #[cfg(target_os = "linux")]
    {
        let peak = escape.client.peak_memory() >> 20;
        assert!(peak < 250, "{peak} MiB");
    }
}
