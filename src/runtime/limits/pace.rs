//! Limits how fast a guest may compute.
//!
//! A running guest pauses at every tick. It continues when its component has a free turn and its
//! CPU share allows it. The turns keep a component with many computing calls from taking more than
//! a fair share of the processors.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::policy::CpuShare;
use crate::runtime::ticker::TICK;

/// One whole processor, in thousandths.
const ONE: u32 = 1000;
/// After waiting, a guest may run ahead of its share by this much time.
const WINDOW: Duration = Duration::from_millis(100);

/// Bounds how many guests of one component compute at a time: one per processor. A
/// guest requests a turn only after its first tick, so that short calls never wait.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Turns(Arc<Semaphore>);

impl Turns {
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Turns(Arc::new(Semaphore::new(cores)))
    }
}

/// The pace of one call.
#[derive(Debug)]
pub(in crate::runtime) struct Pace {
    turns: Turns,
    /// Released when the guest waits for anything but the scheduler's queue.
    turn: Mutex<Option<OwnedSemaphorePermit>>,
    /// Whether the guest waits for the scheduler's queue right now.
    aside: AtomicBool,
    share: Option<Share>,
}

/// A part of one processor.
#[derive(Debug)]
struct Share {
    cpu: CpuShare,
    account: Mutex<Account>,
}

/// A guest's use of its share.
#[derive(Debug)]
struct Account {
    opened: Instant,
    /// CPU time used so far, and the reading of this thread's CPU clock up to which
    /// it is counted; `None` before the first tick, so that short calls never read
    /// that clock.
    used: Duration,
    counted_to: Option<Duration>,
    /// Total time for which the guest was held back.
    held: Duration,
}

impl Pace {
    pub fn new(turns: &Turns, cpu: Option<CpuShare>) -> Arc<Self> {
        // A guest runs on one thread at a time, so a share of one processor or more
        // never limits it.
        let less = cpu.filter(|share| share.millicores() < ONE);
        Arc::new(Pace {
            turns: turns.clone(),
            turn: Mutex::default(),
            aside: AtomicBool::new(false),
            share: less.map(Share::new),
        })
    }

    /// Awaited by a guest at every tick.
    pub async fn pause(self: Arc<Self>) {
        match self.share.as_ref().map(Share::settle) {
            Some(owed) if !owed.is_zero() => tokio::time::sleep(owed).await,
            _ => {
                // Releasing the turn wakes the next guest, which the scheduler runs
                // before everything that is queued. So first go to the end of the
                // queue.
                self.aside.store(true, Ordering::Relaxed);
                step_aside().await;
                self.aside.store(false, Ordering::Relaxed);
            }
        }
        drop(self.turn().take());
        // The semaphore is never closed; without a turn the guest would just go on.
        let turn = Arc::clone(&self.turns.0).acquire_owned().await.ok();
        *self.turn() = turn;
    }

    /// Returns the CPU share and the time for which it held the guest back, if it did.
    pub fn held(&self) -> Option<(CpuShare, Duration)> {
        let share = self.share.as_ref()?;
        let held = share.account().held;
        (!held.is_zero()).then_some((share.cpu, held))
    }

    /// Wraps a guest's future, to measure its CPU time and release its turn.
    pub fn keep<F>(self: Arc<Self>, guest: F) -> Paced<F> {
        Paced {
            pace: self,
            guest: Box::pin(guest),
        }
    }

    fn turn(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    fn new(cpu: CpuShare) -> Self {
        Share {
            cpu,
            account: Mutex::new(Account {
                opened: Instant::now(),
                used: Duration::ZERO,
                counted_to: None,
                held: Duration::ZERO,
            }),
        }
    }

    /// Returns the time to wait until the use is within the share.
    fn settle(&self) -> Duration {
        let mut account = self.account();
        let elapsed = account.opened.elapsed();
        match account.counted_to {
            Some(_) => account.count(),
            // Until its first tick, the guest has computed for at most one tick.
            None => {
                account.used = elapsed.min(TICK);
                account.counted_to = Some(thread_time());
            }
        }
        let due = due(account.used, self.cpu.millicores());
        if let Some(unused) = elapsed.checked_sub(due + WINDOW) {
            // Unused time older than the window is lost.
            account.opened += unused;
        }
        let owed = due.saturating_sub(elapsed);
        account.held += owed;
        owed
    }

    /// Called at the start of a poll, which may be on another thread than the last one.
    fn begin(&self) {
        let mut account = self.account();
        if account.counted_to.is_some() {
            account.counted_to = Some(thread_time());
        }
    }

    fn end(&self) {
        self.account().count();
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Adds the CPU time of this thread since the last count.
    fn count(&mut self) {
        if let Some(from) = &mut self.counted_to {
            let now = thread_time();
            self.used += now.saturating_sub(*from);
            *from = now;
        }
    }
}

/// Returns the wall time in which this much use is within the share.
fn due(used: Duration, millicores: u32) -> Duration {
    let due = used.as_nanos() * u128::from(ONE) / u128::from(millicores.max(1));
    Duration::from_nanos(u64::try_from(due).unwrap_or(u64::MAX / 2))
}

/// Returns the CPU time of this thread.
#[cfg(unix)]
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Wall time, which is never less than CPU time.
#[cfg(not(unix))]
fn thread_time() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Goes to the end of the scheduler's queue. tokio's `yield_now` requeues a task only
/// when the scheduler next checks timers, which looping guests delay.
async fn step_aside() {
    let mut aside = false;
    poll_fn(|context| {
        if std::mem::replace(&mut aside, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A guest's future that is held to its pace.
pub(in crate::runtime) struct Paced<F> {
    pace: Arc<Pace>,
    guest: Pin<Box<F>>,
}

impl<F: Future> Future for Paced<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if let Some(share) = &self.pace.share {
            share.begin();
        }
        let polled = self.guest.as_mut().poll(context);
        if let Some(share) = &self.pace.share {
            share.end();
        }
        // A guest that waits for something else releases its turn.
        if !self.pace.aside.load(Ordering::Relaxed) {
            drop(self.pace.turn().take());
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_its_time() {
        let ms = Duration::from_millis;
        // With half a processor, 10 ms of CPU time take 20 ms.
        assert_eq!(due(ms(10), 500), ms(20));
        assert_eq!(due(ms(10), 100), ms(100));
        assert!(due(Duration::MAX, 1) > Duration::from_secs(1 << 32));
    }

    #[tokio::test]
    async fn turns_go_round() {
        let turns = Turns(Arc::new(Semaphore::new(1)));
        let first = Pace::new(&turns, None);
        let second = Pace::new(&turns, None);
        Arc::clone(&first).pause().await;
        assert!(first.turn().is_some());
        let mut waiting = Box::pin(Arc::clone(&second).pause());
        let soon = Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, waiting.as_mut()).await.is_err());
        // A guest that waits for something else releases its turn.
        Arc::clone(&first).keep(async {}).await;
        waiting.await;
        assert!(first.turn().is_none() && second.turn().is_some());
    }

    #[tokio::test]
    async fn a_guest_over_its_share_is_held() {
        // Small enough that the guest exceeds its share even if other processes use the processor.
        let pace = Pace::new(&Turns::new(), Some("10m".parse().unwrap()));
        let guest = {
            let pace = Arc::clone(&pace);
            async move {
                let started = thread_time();
                while thread_time() - started < Duration::from_millis(5) {
                    std::hint::spin_loop();
                }
                pace.pause().await;
            }
        };
        let started = Instant::now();
        Arc::clone(&pace).keep(guest).await;
        assert!(started.elapsed() >= Duration::from_millis(500));
        assert!(pace.held().is_some());
    }

    #[test]
    fn what_was_not_used_is_lost() {
        let share = Share::new("100m".parse().unwrap());
        share.account().opened -= Duration::from_secs(60);
        assert_eq!(share.settle(), Duration::ZERO);
        assert!(share.account().used <= TICK);
        share.account().used += Duration::from_secs(1);
        // One second of CPU time takes ten seconds, less what the window allows.
        assert!(share.settle() > Duration::from_secs(9));
    }
}
