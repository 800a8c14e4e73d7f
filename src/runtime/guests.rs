//! The threads guests run on.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use super::error::CallError;

/// Polls between two looks at timers and sockets. A looping guest takes a
/// whole tick for each poll, so tokio's default of 61 would be over half a second.
const EVENT_INTERVAL: u32 = 8;

/// A runtime of the guests' own, so that what they do never delays the server.
#[derive(Default)]
pub(super) struct Guests {
    runtime: OnceLock<Option<Runtime>>,
}

impl Guests {
    /// Starts a future on a guest thread; dropping the handle cancels it.
    pub fn spawn<F>(&self, future: F) -> Result<AbortOnDropHandle<F::Output>, CallError>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let runtime = self.runtime.get_or_init(|| {
            Builder::new_multi_thread()
                .thread_name("wassette-guest")
                .event_interval(EVENT_INTERVAL)
                .enable_all()
                .build()
                .inspect_err(|error| tracing::error!("no threads for guests: {error}"))
                .ok()
        });
        let runtime = runtime.as_ref().ok_or_else(|| CallError::Internal {
            message: "no threads for guests".into(),
        })?;
        Ok(AbortOnDropHandle::new(runtime.spawn(future)))
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        // A runtime must not wait for its threads where blocking is forbidden.
        if let Some(Some(runtime)) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
