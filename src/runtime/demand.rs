//! Whether a call waits for code, which then comes before what nobody waits for.

use tokio::sync::watch;

/// How many calls wait for the first code of one component.
#[derive(Default)]
pub(super) struct Demand(watch::Sender<usize>);

/// One call that waits, for as long as this lives.
pub(super) struct Waiting<'a>(&'a Demand);

impl Demand {
    pub fn wait(&self) -> Waiting<'_> {
        self.0.send_modify(|waiting| *waiting += 1);
        Waiting(self)
    }

    /// Returns once a call waits.
    pub async fn arises(&self) {
        let mut waiting = self.0.subscribe();
        // The sender is `self`'s, so that it cannot be gone.
        let _ = waiting.wait_for(|waiting| *waiting > 0).await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|waiting| *waiting -= 1);
    }
}
