//! A component that can be called.

mod calls;
mod work;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use calls::Called;
use work::Working;

use super::Runtime;
use super::code::Code;
use super::demand::Demand;
use super::engine::Tier;
use super::error::CompileError;
use super::limits::{Gate, Turns};
use super::sandbox::Host;
use crate::digest::Digest;

/// The paths of one component and its code.
#[derive(Clone, Debug)]
pub struct CodeSource {
    /// The component.
    pub wasm: PathBuf,
    /// The digest of the component's bytes.
    pub digest: Digest,
    /// The path of its optimised code, which may not exist yet. Only this user may be able to
    /// write to the directory, or the code is not used.
    pub cwasm: PathBuf,
}

/// Whether to use code that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Use it if it is valid.
    No,
    /// Compile again.
    Yes,
}

/// The result of a request for optimised code.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompileReport {
    pub tier: Tier,
    /// Whether the code was on disk already.
    pub cached: bool,
    /// Milliseconds that the compiler ran; zero for code that was on disk.
    pub compile_ms: u64,
    /// Bytes of code on disk.
    pub code_bytes: u64,
}

/// A component that can be called. Nothing is loaded or compiled before the first call; dropping
/// it stops its compilers.
pub struct Program {
    inner: Arc<Inner>,
    work: Mutex<Option<AbortHandle>>,
}

struct Inner {
    runtime: Arc<Runtime>,
    source: CodeSource,
    /// The component's file name, for the log.
    name: Arc<str>,
    host: Host,
    state: watch::Sender<State>,
    /// Calls that wait for code.
    demand: Demand,
    last_call: Mutex<Instant>,
    /// Calls in flight.
    gate: Arc<Gate>,
    /// Limits the calls that compute at the same time.
    turns: Turns,
}

#[derive(Clone, Default)]
struct State {
    /// The best code so far.
    code: Option<Arc<Code>>,
    /// The same code for instances outside the pool; loaded once the pool was full.
    apart: Option<Arc<Code>>,
    work: Work,
}

#[derive(Clone, Default)]
enum Work {
    #[default]
    Idle,
    Running,
    /// There is optimised code.
    Done(CompileReport),
    /// There is no optimised code, and perhaps none at all.
    Failed(Arc<CompileError>),
}

impl Program {
    pub(super) fn new(runtime: Arc<Runtime>, source: CodeSource) -> Self {
        let stem = source.wasm.file_stem().unwrap_or_default();
        let name = stem.to_string_lossy().into();
        Program {
            inner: Arc::new(Inner {
                host: runtime.host.of_component(),
                runtime,
                source,
                name,
                state: watch::Sender::default(),
                demand: Demand::default(),
                last_call: Mutex::new(Instant::now()),
                gate: Gate::new(),
                turns: Turns::new(),
            }),
            work: Mutex::default(),
        }
    }

    /// Drops code that was not called for `idle` and is on disk, where the next call finds it.
    /// Running calls keep theirs.
    pub fn rest(&self, idle: Duration) {
        self.inner.rest(idle);
    }

    /// Returns the digest of the component's bytes.
    pub fn digest(&self) -> Digest {
        self.inner.source.digest
    }

    /// Starts loading or compiling in the background. Needs a tokio runtime.
    pub fn warm(&self) {
        self.start(Force::No);
    }

    /// Whether optimised code is on disk, valid or not.
    pub fn has_code(&self) -> bool {
        self.inner.source.cwasm.exists()
    }

    /// Creates the first code that can be called, and stores it on disk. Does not continue with
    /// the optimised code.
    ///
    /// # Errors
    ///
    /// Returns why there is no code.
    pub async fn callable(&self) -> Result<CompileReport, CompileError> {
        self.inner.first().await
    }

    /// Waits for the optimised code, compiling it if need be. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns why there is no optimised code.
    pub async fn optimised(&self, force: Force) -> Result<CompileReport, Arc<CompileError>> {
        // If the work is running already, it also produces new code.
        self.start(force);
        match self
            .finished(|state| !matches!(state.work, Work::Running))
            .await
            .work
        {
            Work::Done(report) => Ok(report),
            Work::Failed(error) => Err(error),
            Work::Idle | Work::Running => Err(Arc::new(stopped())),
        }
    }

    /// Returns the best code so far, or waits for the first.
    async fn code(&self) -> Result<Arc<Code>, Arc<CompileError>> {
        if let Some(code) = &self.inner.state.borrow().code {
            return Ok(Arc::clone(code));
        }
        let _waiting = self.inner.demand.wait();
        self.start(Force::No);
        let state = self
            .finished(|state| state.code.is_some() || !matches!(state.work, Work::Running))
            .await;
        match state {
            State {
                code: Some(code), ..
            } => Ok(code),
            State {
                work: Work::Failed(error),
                ..
            } => Err(error),
            State { .. } => Err(Arc::new(stopped())),
        }
    }

    async fn finished(&self, until: impl FnMut(&State) -> bool) -> State {
        let mut state = self.inner.state.subscribe();
        // The sender lives in `self.inner`, so the wait cannot fail.
        let reached = state.wait_for(until).await.map(|state| state.clone());
        reached.unwrap_or_default()
    }

    /// Starts the work unless it is running, done, or known to fail.
    fn start(&self, force: Force) {
        let needed = self.inner.state.send_if_modified(|state| {
            let needed = match &state.work {
                Work::Idle => true,
                Work::Running => false,
                Work::Done(_) => force == Force::Yes,
                Work::Failed(error) => force == Force::Yes || !error.is_final(),
            };
            if needed {
                state.work = Work::Running;
            }
            needed
        });
        if needed {
            let inner = Arc::clone(&self.inner);
            let working = Working::new(&inner);
            let task = tokio::spawn(async move {
                inner.work(force).await;
                // In the same poll as the last change of the state: otherwise the guard could mark
                // the next task's work as idle.
                working.end();
            });
            *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let work = self.work.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = work.take() {
            task.abort();
        }
    }
}

/// Returns the error after the runtime that did the work was shut down.
fn stopped() -> CompileError {
    CompileError::Load {
        message: "the compile was stopped".into(),
    }
}

impl Inner {
    fn rest(&self, idle: Duration) {
        let last = *self
            .last_call
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < idle {
            return;
        }
        self.state.send_if_modified(|state| {
            let kept = state.code.is_some() && matches!(state.work, Work::Done(_));
            let resting = kept && self.source.cwasm.exists();
            if resting {
                *state = State::default();
                tracing::debug!(component = &*self.name, "code let go of");
            }
            resting
        });
    }
}
