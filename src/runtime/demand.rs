//! Counts the calls that wait for a component's code, whose compilation then goes
//! first.

use tokio::sync::watch;

/// The number of calls that wait for the first code of one component.
#[derive(Default)]
pub(super) struct Demand(watch::Sender<usize>);

/// Counts one waiting call until it is dropped.
pub(super) struct Waiting<'a>(&'a Demand);

impl Demand {
    pub fn wait(&self) -> Waiting<'_> {
        self.0.send_modify(|waiting| *waiting += 1);
        Waiting(self)
    }

    /// Returns once at least one call waits.
    pub async fn arises(&self) {
        let mut waiting = self.0.subscribe();
        // Fails only when the sender is gone, and `self` holds it.
        let _ = waiting.wait_for(|waiting| *waiting > 0).await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|waiting| *waiting -= 1);
    }
}
