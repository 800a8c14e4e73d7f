//! A thousand calls at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::Barrier;

use crate::support::http::{Mcp, message};
use crate::support::mcp::Place;

const CALLS: usize = 1000;

/// `work(n)` counts to `n`, and touches a megabyte of memory.
pub const WORK: &str = r#"
(component
  (core module $m
    (memory 16)
    (func (export "work") (param i32) (result i32)
      (local $n i32)
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 1048576))
      (loop $again
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (local.get 0))))
      (local.get $n)))
  (core instance $i (instantiate $m))
  (func (export "work") (param "n" u32) (result u32)
    (canon lift (core func $i "work"))))
"#;

/// Both ends of a thousand connections are open files.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// The outcomes of the calls, and the peak memory of the server.
async fn crowd(max_requests: &str) -> (BTreeMap<String, usize>, u64) {
    allow_many_files();
    let place = Place::new();
    let server = place.http(&["--max-requests", max_requests]).await;
    let client = Mcp::open(&server.url, None).await;
    let uri = place.component("work.wat", WORK);
    client.call("load-component", json!({ "uri": uri })).await;
    client.call("work", json!({ "n": 1 })).await;
    let together = Arc::new(Barrier::new(CALLS));
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (client, together) = (client.clone(), together.clone());
            tokio::spawn(async move {
                together.wait().await;
                one(&client).await
            })
        })
        .collect();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls {
        *ends.entry(call.await.unwrap()).or_default() += 1;
    }
    // The server works as before.
    let after = client.call("work", json!({ "n": 7 })).await;
    assert_eq!(after["result"]["structuredContent"]["result"], 7, "{after}");
    (ends, server.peak_memory())
}

async fn one(client: &Mcp) -> String {
    let response = client.send("work", json!({ "n": 1_000_000 })).await;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        assert_eq!(response.headers()["retry-after"], "1");
        return "refused".into();
    }
    assert_eq!(response.status(), StatusCode::OK);
    let answer = message(&response.text().await.unwrap())["result"].clone();
    if answer["isError"] == false {
        assert_eq!(answer["structuredContent"]["result"], 1_000_000);
        return "answered".into();
    }
    let text = answer["content"][0]["text"].as_str().unwrap();
    let error: serde_json::Value = serde_json::from_str(text).unwrap();
    error["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_are_all_answered_in_bounded_memory() {
    let (ends, peak) = crowd("1024").await;
    println!("{ends:?}, {} MiB", peak >> 20);
    // On a busy machine, some calls may reach their time limit.
    let known = ["answered", "call-timeout"];
    assert!(ends.keys().all(|end| known.contains(&&**end)), "{ends:?}");
    assert!(ends["answered"] >= CALLS / 2, "{ends:?}");
    assert!(peak < 512 << 20, "{} MiB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_they_are_refused_and_none_hangs() {
    let (ends, peak) = crowd("64").await;
    println!("{ends:?}, {} MiB", peak >> 20);
    let known = ["answered", "refused", "call-timeout"];
    assert!(ends.keys().all(|end| known.contains(&&**end)), "{ends:?}");
    assert!(ends["refused"] > 0 && ends["answered"] >= 64, "{ends:?}");
    assert!(peak < 512 << 20, "{} MiB", peak >> 20);
}
