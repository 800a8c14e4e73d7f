//! Places in the pool of instances, which components share.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wassette::error::Diagnose;
use wassette::runtime::{Returned, Runtime};

use crate::support::components_rt::SPIN;
use crate::support::components_values::many_tables;
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
