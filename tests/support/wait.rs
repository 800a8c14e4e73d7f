//! Waiting for events: what does not come within a minute is a failure, and no
//! test hangs or passes because a machine is fast.

use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Waits for an event.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(DEADLINE, event).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// Waits until a condition holds, while tasks of the runtime go on.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let holds = async {
        while !holds() {
            tokio::time::sleep(POLL).await;
        }
    };
    within(what, holds).await;
}

/// Waits until a condition holds; the thread does nothing else.
#[track_caller]
pub fn block_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(POLL);
    }
}
