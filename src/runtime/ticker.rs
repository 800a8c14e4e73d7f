//! The clock that makes guests yield.
//!
//! Compiled code compares its engine's epoch with a deadline at every loop and
//! function entry. One thread advances the epochs while calls are in flight and parks
//! otherwise, so that an idle server does not wake up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// Time that a guest may keep a thread before it yields.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Ticks without a call before the thread parks. Waking it for each one of a series
/// of short calls would cost more than the calls.
const IDLE_TICKS: u32 = 50;
/// Time that the thread is parked before the allocator is made to return memory.
const QUIET: Duration = Duration::from_millis(2500);

#[derive(Default)]
struct Shared {
    in_flight: AtomicUsize,
    parked: AtomicBool,
    stopped: AtomicBool,
    engines: Mutex<Vec<EngineWeak>>,
}

/// Handle to the clock; its thread starts with the first call and ends with the
/// handle.
#[derive(Default)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: OnceLock<Option<Thread>>,
}

impl Ticker {
    /// Also advances the epoch of this engine from now on.
    pub fn drive(&self, engine: &Engine) {
        self.shared.engines().push(engine.weak());
    }

    /// Keeps the clock running until the guard is dropped.
    pub fn start(&self) -> Ticking {
        self.shared.in_flight.fetch_add(1, Ordering::SeqCst);
        let thread = self.thread.get_or_init(|| {
            let shared = Arc::clone(&self.shared);
            thread::Builder::new()
                .name("wassette-ticker".into())
                .spawn(move || shared.run())
                .inspect_err(|error| tracing::error!("no thread for the guests' clock: {error}"))
                .ok()
                .map(|handle| handle.thread().clone())
        });
        if self.shared.parked.swap(false, Ordering::SeqCst)
            && let Some(thread) = thread
        {
            thread.unpark();
        }
        Ticking(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(Some(thread)) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// A call in flight.
pub(super) struct Ticking(Arc<Shared>);

impl Ticking {
    /// Whether no other call is in flight.
    pub fn is_alone(&self) -> bool {
        self.0.in_flight.load(Ordering::SeqCst) == 1
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn engines(&self) -> std::sync::MutexGuard<'_, Vec<EngineWeak>> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            if self.in_flight.load(Ordering::SeqCst) > 0 {
                idle = 0;
            } else if idle < IDLE_TICKS {
                idle += 1;
            } else {
                self.park();
                idle = 0;
            }
            thread::sleep(TICK);
            for engine in self.engines().iter().filter_map(EngineWeak::upgrade) {
                engine.increment_epoch();
            }
        }
    }

    fn park(&self) {
        let mut given_back = false;
        self.parked.store(true, Ordering::SeqCst);
        // A call that started before the flag was set is seen in `in_flight`; one
        // that starts later clears the flag.
        while self.parked.load(Ordering::SeqCst)
            && self.in_flight.load(Ordering::SeqCst) == 0
            && !self.stopped.load(Ordering::SeqCst)
        {
            if given_back {
                thread::park();
                continue;
            }
            thread::park_timeout(QUIET);
            if self.parked.load(Ordering::SeqCst) {
                give_memory_back();
                given_back = true;
            }
        }
        self.parked.store(false, Ordering::SeqCst);
    }
}

/// Makes the allocator return memory to the system that large calls have freed.
///
/// The allocator keeps freed memory for a second, and checks for that only on its
/// next use or when a thread ends; neither happens in an idle server.
fn give_memory_back() {
    if let Ok(thread) = thread::Builder::new().spawn(|| ()) {
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for the state, since the thread may be delayed on a busy machine.
    fn comes_to(ticker: &Ticker, parked: bool) -> bool {
        (0..1000).any(|_| {
            thread::sleep(TICK);
            ticker.shared.parked.load(Ordering::SeqCst) == parked
        })
    }

    #[test]
    fn parks_when_idle_and_wakes_for_a_call() {
        let ticker = Ticker::default();
        for _ in 0..2 {
            drop(ticker.start());
            assert!(comes_to(&ticker, true));
            let _call = ticker.start();
            assert!(comes_to(&ticker, false));
        }
    }
}
