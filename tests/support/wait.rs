//! Waits for events. A test fails if an event takes more than a minute, and never
//! hangs or depends on the machine's speed.

use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// How often a condition is checked.
const POLL: Duration = Duration::from_millis(5);

/// Waits for an event.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(DEADLINE, event).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// Like [`within`], for an event that waits for a compiler: on a busy machine, compiling a large
/// component takes more than a minute.
pub async fn within_a_compile<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(4 * DEADLINE, event).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within {:?}", 4 * DEADLINE))
}

/// Waits until a condition holds, while the runtime's other tasks run.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let holds = async {
        while !holds() {
            tokio::time::sleep(POLL).await;
        }
    };
    within(what, holds).await;
}

/// Waits until a condition holds; blocks the thread.
#[track_caller]
pub fn block_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(POLL);
    }
}
