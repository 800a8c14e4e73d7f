//! The threads that guests run on.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::Poll;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

use super::error::CallError;

/// Polls between two checks of timers and sockets. A looping guest takes a whole tick
/// for each poll, so tokio's default of 61 would delay them by over half a second.
const EVENT_INTERVAL: u32 = 8;

/// Looping guests of one component can keep one thread per processor busy, a tick at
/// a time; the other threads answer calls of other components at once.
const THREADS_PER_CORE: usize = 2;

/// The thread of a guest's first poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// On the caller's thread, until the guest first waits or has used up its tick: a
    /// short call ends before another thread would have woken up. Only for one guest
    /// at a time; host functions that may block first move to a guest thread.
    Here,
    /// On a guest thread.
    Apart,
}

/// A tokio runtime of its own, so that guests never delay the server.
#[derive(Default)]
pub(super) struct Guests {
    runtime: OnceLock<Option<Runtime>>,
}

impl Guests {
    /// Runs a guest to its end; dropping the future cancels the guest.
    pub async fn run<T: Send + 'static>(
        &self,
        start: Start,
        guest: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        let handle = self.handle()?;
        let mut guest = Box::pin(guest);
        if start == Start::Here
            && let Poll::Ready(outcome) = first_poll(handle, guest.as_mut()).await
        {
            return outcome;
        }
        let task = AbortOnDropHandle::new(handle.spawn(guest));
        task.await.unwrap_or_else(|error| {
            Err(CallError::Internal {
                message: error.to_string(),
            })
        })
    }

    fn handle(&self) -> Result<&Handle, CallError> {
        let runtime = self.runtime.get_or_init(|| {
            let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
            Builder::new_multi_thread()
                .worker_threads(THREADS_PER_CORE * cores)
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
        Ok(runtime.handle())
    }
}

/// Polls once, with the timers and sockets of the guests' runtime.
async fn first_poll<F: Future>(handle: &Handle, mut guest: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| {
        let _guests = handle.enter();
        Poll::Ready(guest.as_mut().poll(context))
    })
    .await
}

impl Drop for Guests {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which is forbidden in async code.
        if let Some(Some(runtime)) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
