//! Limits of shared resources: memory and processors; and deeply nested values.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wassette::error::Diagnose;
use wassette::runtime::{Returned, Runtime};

use crate::support::cli::Cli;
use crate::support::components_limits::{HOG, deep_lists};
use crate::support::components_rt::{MEMORY, SPIN};
use crate::support::program::{Installed, call};

#[tokio::test(flavor = "multi_thread")]
async fn all_calls_share_the_servers_memory() {
    let (hog, memory) = (Installed::new(HOG), Installed::new(MEMORY));
    let mut options = hog.options();
    options.memory_limit = 48 << 20;
    options.total_memory = Some(64 << 20);
    let runtime = Runtime::new(options);
    let holder = runtime.program(hog.source.clone());
    let program = runtime.program(memory.source.clone());
    let hold = || {
        let holder = Arc::clone(&holder);
        tokio::spawn(async move { call(&holder, "hold", json!({"pages": 640})).await })
    };
    let mut held = hold();
    // Alone, a call exceeds its own limit; beside the other call, the limit of all calls.
    let error = loop {
        let error = call(&program, "careful", json!({})).await.unwrap_err();
        if error.code() != "memory-limit" {
            break error;
        }
        // The request came while the other call held the memory.
        if held.is_finished() {
            held = hold();
        }
    };
    assert_eq!(error.code(), "server-memory-limit", "{error}");
    assert_eq!(
        error.to_string(),
        "All calls together need more than 64 MiB of the server's memory"
    );
    // The memory of a call is free once it has ended.
    held.abort();
    assert!(held.await.unwrap_err().is_cancelled());
    while call(&program, "careful", json!({}))
        .await
        .unwrap_err()
        .code()
        != "memory-limit"
    {}
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_loops_leave_others_their_share() {
    let (spin, other) = (Installed::new(SPIN), Installed::new(SPIN));
    let mut options = spin.options();
    options.call_timeout = Duration::from_secs(600);
    let runtime = Runtime::new(options);
    let looping = runtime.program(spin.source.clone());
    let loops: Vec<_> = (0..64)
        .map(|_| {
            let looping = Arc::clone(&looping);
            tokio::spawn(async move { call(&looping, "spin", json!({})).await })
        })
        .collect();
    let program = runtime.program(other.source.clone());
    for n in 0..100 {
        let sum = call(&program, "add", json!({"a": n, "b": 1})).await;
        assert_eq!(sum.unwrap(), Returned::Ok(json!(n + 1)));
    }
    // All of this happened while every loop was running.
    for looping in loops {
        assert!(!looping.is_finished());
        looping.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_values() {
    let installed = Installed::new(&deep_lists(90));
    let program = installed.program();
    let nested = |depth: usize| (1..depth).fold(json!(""), |inner, _| json!([inner, inner]));
    let deep = |levels: usize| (1..levels).fold(json!([]), |inner, _| json!([inner]));
    let answer = call(&program, "deep", json!({"lists": deep(89)})).await;
    assert_eq!(answer.unwrap(), Returned::Ok(json!(1)));
    // Deeper than the type.
    let error = call(&program, "deep", json!({"lists": deep(120)})).await;
    assert_eq!(error.unwrap_err().code(), "invalid-arguments");
    // Its size is two to the power of its depth.
    let wide = call(&program, "deep", json!({"lists": nested(12)})).await;
    assert_eq!(wide.unwrap_err().code(), "invalid-arguments");
}

#[test]
fn arguments_nested_for_ever() {
    let cli = Cli::new();
    cli.load(&cli.file("deep.wat", deep_lists(3)));
    let lists = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let args = format!(r#"{{"lists": {lists}}}"#);
    let failure = cli.failure(["call", "deep", "--args", &args]);
    assert!(failure.starts_with("exit code 2\n"), "{failure:.300}");
    assert!(failure.contains("recursion limit"), "{failure:.300}");
}

#[test]
fn types_nested_for_ever() {
    let cli = Cli::new();
    let file = cli.file("deep.wat", deep_lists(2000));
    let failure = cli.failure(["load", "--uri", file.to_str().unwrap()]);
    assert!(failure.starts_with("exit code 6\n"), "{failure}");
    assert!(failure.contains("nesting is too deep"), "{failure}");
    let list: Value = cli.json(["list"]);
    assert_eq!(list["components"], json!([]), "{list}");
}
