//! Slots in the instance pool, which components share.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wassette::error::Diagnose;
use wassette::runtime::{Force, Returned, Runtime};

use crate::support::components_rt::SPIN;
use crate::support::components_values::{many_tables, waiting};
use crate::support::program::{Installed, call};

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_many_tables_takes_no_places_of_others() {
    let (tables, other) = (Installed::new(&many_tables(240)), Installed::new(SPIN));
    let mut options = tables.options();
    options.call_timeout = Duration::from_secs(600);
    let runtime = Runtime::new(options);
    let looping = runtime.program(tables.source.clone());
    let loops: Vec<_> = (0..40)
        .map(|_| {
            let looping = Arc::clone(&looping);
            tokio::spawn(async move { call(&looping, "spin", json!({})).await })
        })
        .collect();
    let program = runtime.program(other.source.clone());
    for n in 0..20 {
        let sum = call(&program, "add", json!({"a": n, "b": 1})).await;
        assert_eq!(sum.unwrap(), Returned::Ok(json!(n + 1)));
    }
    for looping in loops {
        assert!(!looping.is_finished());
        looping.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_too_many_tables_is_refused() {
    let tables = Installed::new(&many_tables(300));
    let error = call(&tables.program(), "spin", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "resource-limit", "{error:?}");
    assert!(error.to_string().contains("256 tables"), "{error}");
}

/// The pool has 4,000 core instances, and each call takes 14 of them.
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_find_the_pool_full_run_beside_it() {
    const CALLS: usize = 300;

    let waiting: Vec<_> = (0..5).map(|_| Installed::new(&waiting(13))).collect();
    let mut options = waiting[0].options();
    options.call_timeout = Duration::from_secs(600);
    let runtime = Runtime::new(options);
    let mut calls = Vec::new();
    for waiting in &waiting {
        let program = runtime.program(waiting.source.clone());
        program.optimised(Force::No).await.unwrap();
        for _ in 0..CALLS / 5 {
            let program = Arc::clone(&program);
            calls.push(tokio::spawn(async move {
                call(&program, "wait", json!({})).await
            }));
        }
    }
    // Each running call has a page of memory.
    let all = CALLS as u64 * 65536;
    let run = async {
        while runtime.memory().used() < all {
            assert!(!calls.iter().any(|call| call.is_finished()));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let run = tokio::time::timeout(Duration::from_secs(60), run).await;
    assert!(run.is_ok(), "{} bytes are used", runtime.memory().used());
    for call in calls {
        call.abort();
    }
}
