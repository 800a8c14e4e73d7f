//! Values of the deepest types that are offered, in and out of a C program.

use serde_json::{Value, json};

use crate::support::escape::Escape;

/// Lists in lists; the innermost is text in base64.
fn lists(depth: usize) -> Value {
    (1..depth).fold(json!("eA=="), |inner, _| json!([inner]))
}

#[tokio::test]
async fn go_in_and_come_out() {
    let escape = Escape::new().await;
    let deep = lists(24);
    let echoed = escape.returns("echo", json!({ "lists": deep })).await;
    assert_eq!(echoed, deep);
    assert_eq!(escape.returns("nest", json!({ "width": 1 })).await, deep);
    for depth in [23, 25, 100] {
        let told = escape.fails("echo", json!({ "lists": lists(depth) })).await;
        assert_eq!(told["code"], "invalid-arguments", "{depth}: {told}");
    }
}

/// Lists whose elements are all the same list: a kilobyte of the guest's memory that expands to
/// more than any machine could hold.
#[tokio::test]
async fn that_double_at_each_level_are_not_unfolded() {
    let escape = Escape::new().await;
    let message = "The result has so many values that they take more than 64 MiB \
                   of the server's memory";
    for width in [2, 16, 2, 16] {
        let arguments = json!({ "width": width });
        escape
            .meets("nest", arguments, "output-limit", message)
            .await;
    }
    // Each thread has its own heap, and keeps freed memory that is fragmented.
    #[cfg(target_os = "linux")]
    {
        let peak = escape.client.peak_memory() >> 20;
        assert!(peak < 1000, "{peak} MiB");
    }
}
