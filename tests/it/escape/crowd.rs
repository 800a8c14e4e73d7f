//! Endless calls beside honest ones, as many as a component may have in flight.
#![cfg(target_os = "linux")]

use std::time::Duration;

use rmcp::model::{CallToolRequest, ClientRequest};
use rmcp::service::{PeerRequestOptions, RequestHandle, RoleClient};
use serde_json::json;

use crate::mcp::crowd::WORK;
use crate::support::components::binary;
use crate::support::escape::Escape;
use crate::support::mcp::{params, text_of};
use crate::support::processor;

/// Calls that never end.
struct Loops(Vec<RequestHandle<RoleClient>>);

impl Loops {
    /// Starts this many calls of the tools, and waits until they compute.
    async fn start(escape: &Escape, tools: &[&str], calls: usize) -> Self {
        let before = escape.client.cpu_time();
        let mut loops = Vec::new();
        for tool in tools.iter().cycle().take(calls) {
            let call = CallToolRequest::new(params(tool, json!({})));
            let call = ClientRequest::CallToolRequest(call);
            let options = PeerRequestOptions::no_options();
            let sent = escape
                .client
                .service
                .send_cancellable_request(call, options);
            loops.push(sent.await.unwrap());
        }
        processor::until_running(before, || escape.client.cpu_time()).await;
        Loops(loops)
    }

    /// Checks that none has ended, and that all end when they are cancelled.
    async fn end(self, escape: &Escape) {
        for mut running in self.0 {
            let answer = running.rx.try_recv();
            assert!(answer.is_err(), "{answer:?}");
            running.cancel(None).await.unwrap();
        }
        escape.serves().await;
        processor::until_idle(|| escape.client.cpu_time());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_at_once_of_which_most_never_end() {
    let escape = Escape::limited("{time: 10m, memory: 32Mi, output: 64Ki}").await;
    escape.load("work", &binary(WORK)).await;
    let endless = ["spin", "ask-clock", "ask-random", "doze", "sleep"];
    let loops = Loops::start(&escape, &endless, 40).await;
    let deep = (0..8).map(|_| escape.client.call("recurse", json!({})));
    let deep = futures_util::future::join_all(deep);
    // Sixteen honest calls of the same component, and as many of another.
    let honest = (0..16_u32).map(|n| {
        let escape = &escape;
        async move {
            let sum = escape.returns("add", json!({ "a": n, "b": 1 })).await;
            let work = escape.returns("work", json!({ "n": n + 1 })).await;
            (sum, work)
        }
    });
    let honest = futures_util::future::join_all(honest);
    let (deep, honest) = tokio::join!(deep, honest);
    for (n, (sum, work)) in honest.into_iter().enumerate() {
        assert_eq!((sum, work), (json!(n + 1), json!(n + 1)));
    }
    for ended in deep {
        assert_eq!(text_of(&ended)["code"], "stack-limit", "{ended:?}");
    }
    loops.end(&escape).await;
}

/// Returns the server's processor time for a series of calls.
async fn cost(escape: &Escape, calls: u32, work: u32) -> Duration {
    let before = escape.client.cpu_time();
    for _ in 0..calls {
        let counted = escape.returns("work", json!({ "n": work })).await;
        assert_eq!(counted, work);
    }
    escape.client.cpu_time() - before
}

/// On two processors, a component that loops in many calls gets at most both, and one that works
/// beside it gets at least two thirds of one. The test compares shares of the server's processor
/// time, so other load on the machine does not matter.
#[tokio::test(flavor = "multi_thread")]
async fn loops_leave_others_their_share() {
    const LOOPS: u32 = 32;
    let escape = Escape::limited("{time: 10m}").await;
    escape.load("work", &binary(WORK)).await;
    let (short, long) = (1, 100_000_000);
    cost(&escape, 1, long).await;
    let alone = cost(&escape, 3, long).await;
    let loops = Loops::start(&escape, &["spin", "ask-clock"], LOOPS as usize).await;
    let beside = cost(&escape, 3, long).await;
    assert!(
        beside < 8 * alone,
        "{alone:?} alone, {beside:?} beside loops"
    );
    // A short call does not wait for a turn of every loop.
    let beside = cost(&escape, 20, short).await;
    assert!(beside < 20 * LOOPS * TURN / 2, "{beside:?} beside loops");
    loops.end(&escape).await;
}

/// Time that a guest computes before it yields.
const TURN: Duration = Duration::from_millis(10);
