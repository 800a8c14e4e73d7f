//! Limits: time, memory, output.

use std::time::Duration;

use serde_json::json;
use wassette::error::Diagnose;
use wassette::runtime::{CallError, Exceeded, Returned};

use crate::support::components_rt as components;
use crate::support::program::{Installed, call};
use crate::support::wait::within;

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_times_out() {
    let installed = Installed::new(components::SPIN);
    let program = installed.timed(Duration::from_millis(300));
    // On a busy machine even a call that ends may take longer than that.
    let served = async || loop {
        match call(&program, "add", json!({"a": 1, "b": 1})).await {
            Err(error) if error.code() == "call-timeout" => {}
            answer => return assert_eq!(answer.unwrap(), Returned::Ok(json!(2))),
        }
    };
    within("a call is served", served()).await;
    let spin = call(&program, "spin", json!({}));
    let error = within("the end of the loop", spin).await.unwrap_err();
    assert_eq!(error.code(), "call-timeout");
    assert!(error.to_string().contains("300 ms"), "{error}");
    within("the next call is served", served()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_memory_is_limited() {
    let installed = Installed::new(components::MEMORY);
    let mut options = installed.options();
    options.memory_limit = 32 << 20;
    let program = installed.program_with(options);
    for function in ["greedy", "careful"] {
        let error = call(&program, function, json!({})).await.unwrap_err();
        assert!(
            matches!(&error, CallError::Limit(met) if met.exceeded == Exceeded::Memory(32 << 20)),
            "{function}: {error:?}"
        );
        assert!(error.to_string().contains("32 MiB"), "{error}");
    }
    // Within the limit the guest gets its pages; beyond it, `memory.grow` returns -1. A request
    // alone is not an error.
    let answer = call(&program, "modest", json!({"pages": 100}))
        .await
        .unwrap();
    assert_eq!(answer, Returned::Ok(json!(1)));
    let answer = call(&program, "modest", json!({"pages": 10_000}))
        .await
        .unwrap();
    assert_eq!(answer, Returned::Ok(json!(u32::MAX)));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_limited_before_the_start() {
    let installed = Installed::new(components::MEMORY_AT_START);
    let error = call(&installed.program(), "f", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "memory-limit", "{error:?}");
    assert!(error.to_string().contains("512 MiB"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_limited() {
    let installed = Installed::new(components::OUTPUT);
    let mut options = installed.options();
    options.output_limit = 1000;
    let program = installed.program_with(options);
    // The JSON of the text has two quotation marks.
    let answer = call(&program, "repeat", json!({"n": 998})).await.unwrap();
    assert_eq!(answer, Returned::Ok(json!("a".repeat(998))));
    for (function, n) in [("repeat", 999), ("bytes", 20 << 20)] {
        let error = call(&program, function, json!({"n": n})).await.unwrap_err();
        assert!(
            matches!(&error, CallError::Limit(met) if met.exceeded == Exceeded::Result(1000)),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_outside_the_memory_is_an_error() {
    let installed = Installed::new(components::OUTPUT);
    let error = call(&installed.program(), "broken", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "invalid-result", "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_too_large_for_the_pool_still_runs() {
    let installed = Installed::new(components::LARGE_TABLE);
    let answer = call(&installed.program(), "f", json!({})).await.unwrap();
    assert_eq!(answer, Returned::Ok(json!(200_000)));
}
