//! Programs that never end beside honest calls, as many as a component may have
//! in flight.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::mcp::crowd::WORK;
use crate::support::components::binary;
use crate::support::escape::Escape;
use crate::support::mcp::{params, text_of};

/// Starts calls that never end.
async fn start(escape: &Escape, tools: &[&'static str], calls: usize) -> JoinSet<String> {
    let mut loops = JoinSet::new();
    for &tool in tools.iter().cycle().take(calls) {
        let peer = escape.client.service.peer().clone();
        loops.spawn(async move {
            let result = peer.call_tool(params(tool, json!({}))).await.unwrap();
            let code: Value = text_of(&result)["code"].clone();
            format!("{tool}: {}", code.as_str().unwrap())
        });
    }
    loops
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_once_of_which_most_never_end() {
    let escape = Escape::limited("{time: 4s, memory: 32Mi, output: 64Ki}").await;
    escape.load("work", &binary(WORK)).await;
    let tools = [
        "spin",
        "ask-clock",
        "ask-random",
        "doze",
        "sleep",
        "recurse",
    ];
    let loops = start(&escape, &tools, 48).await;
    // Sixteen honest calls of the same component, and as many of another.
    let honest = (0..16_u32).map(|n| {
        let escape = &escape;
        async move {
            let sum = escape.returns("add", json!({ "a": n, "b": 1 })).await;
            let work = escape.returns("work", json!({ "n": n + 1 })).await;
            (sum, work)
        }
    });
    for (n, (sum, work)) in futures_util::future::join_all(honest)
        .await
        .into_iter()
        .enumerate()
    {
        assert_eq!((sum, work), (json!(n + 1), json!(n + 1)));
    }
    let mut ends = BTreeMap::<String, u32>::new();
    for end in loops.join_all().await {
        *ends.entry(end).or_default() += 1;
    }
    let timed_out = ["spin", "ask-clock", "ask-random", "doze", "sleep"];
    let mut expected: BTreeMap<_, _> = timed_out
        .iter()
        .map(|tool| (format!("{tool}: call-timeout"), 8))
        .collect();
    expected.insert("recurse: stack-limit".into(), 8);
    assert_eq!(ends, expected);
    escape.serves().await;
}

/// Calls that are answered one after the other within some seconds.
async fn answered(escape: &Escape, work: u32) -> u32 {
    const WINDOW: Duration = Duration::from_secs(2);
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < WINDOW {
        let counted = escape.returns("work", json!({ "n": work })).await;
        assert_eq!(counted, work);
        calls += 1;
    }
    calls
}

/// Of two processors, a component that loops in many calls has two at most, and
/// one that works beside it two thirds of one. The bounds are generous, since the
/// machine has other work.
#[tokio::test(flavor = "multi_thread")]
async fn loops_leave_others_their_share() {
    let escape = Escape::limited("{time: 20s}").await;
    escape.load("work", &binary(WORK)).await;
    let (short, long) = (1, 20_000_000);
    answered(&escape, long).await;
    let alone = [
        answered(&escape, short).await,
        answered(&escape, long).await,
    ];
    let loops = start(&escape, &["spin", "ask-clock"], 32).await;
    let beside = [
        answered(&escape, short).await,
        answered(&escape, long).await,
    ];
    println!("{alone:?} alone, {beside:?} beside 32 loops");
    assert_eq!(loops.len(), 32);
    for (alone, beside) in alone.into_iter().zip(beside) {
        assert!(beside * 8 >= alone, "{alone} alone, {beside} beside loops");
    }
}
