//! One component as something that can be called.

mod work;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use work::Working;

use super::Runtime;
use super::call::{Answer, Call};
use super::code::Code;
use super::demand::Demand;
use super::engine::{APART_OF_ONE, Allocation, Tier};
use super::error::{CallError, CompileError};
use super::guests::Start;
use super::limits::{CallLimits, Exceeded, Gate, LimitMet, MemoryShare, Pace, Turns};
use super::sandbox::{Denial, Denials, Host, Sandbox};
use crate::digest::Digest;
use crate::schema::ExportPath;
use crate::schema::value::Returned;
use crate::secret::Redactor;

/// As good as no limit; the end of a longer time may not be a time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Where one component's code lives.
#[derive(Clone, Debug)]
pub struct CodeSource {
    /// The component.
    pub wasm: PathBuf,
    /// Of the component's bytes.
    pub digest: Digest,
    /// Its optimised code, whether there is some or not. The directory must
    /// be writable by this user only, or the code is not used.
    pub cwasm: PathBuf,
}

/// Whether code on disk will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Use it if it is valid.
    No,
    /// Compile anew.
    Yes,
}

/// What asking for optimised code took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompileReport {
    pub tier: Tier,
    /// Whether the code was there already.
    pub cached: bool,
    /// Milliseconds the compiler ran for; zero for code that was there.
    pub compile_ms: u64,
    /// Bytes of code on disk.
    pub code_bytes: u64,
}

/// How a call ended.
#[derive(Debug)]
pub struct Called {
    pub outcome: Result<Returned, CallError>,
    /// The server's memory that the result takes, for as long as it is kept.
    pub memory: MemoryShare,
    /// What the guest asked for and was not granted.
    pub denials: Vec<Denial>,
    /// Whether the guest read its environment, and may have missed something.
    pub looked_at_environment: bool,
}

/// A component as something that can be called. Nothing is loaded or compiled
/// before the first call; dropping it stops its compilers.
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
    /// Of those that compute.
    turns: Turns,
}

#[derive(Clone, Default)]
struct State {
    /// The best code so far.
    code: Option<Arc<Code>>,
    /// The same for instances outside the pool, once it was full.
    apart: Option<Arc<Code>>,
    work: Work,
}

#[derive(Clone, Default)]
enum Work {
    #[default]
    Idle,
    Running,
    /// Optimised code is there.
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

    /// Calls an exported function in a fresh instance.
    ///
    /// Waits for code of the first tier if there is none yet; that wait does
    /// not count against the call's time limit. Cancelling `stop` ends the
    /// call, and dropping the future does, without telling what was denied.
    /// Needs a tokio runtime with timers.
    ///
    /// The outcome is a [`CallError`] when the component cannot be run, the
    /// arguments do not fit, or the guest traps, exits, is stopped or meets a limit. An
    /// error *value* the function returns is an [`Returned::Err`].
    pub async fn call(
        &self,
        export: &ExportPath,
        arguments: impl Into<Arc<Map<String, Value>>>,
        sandbox: &Sandbox,
        stop: &CancellationToken,
    ) -> Called {
        // Kept here too, so that a call that is stopped tells its denials.
        let denials = Denials::new(sandbox);
        let arguments = arguments.into();
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => Err(CallError::Cancelled),
            outcome = self.attempt(export, arguments, sandbox, &denials) => outcome,
        };
        let (outcome, memory) = match outcome {
            Ok(answer) => (Ok(answer.returned), answer.memory),
            Err(error) => (Err(error), self.inner.runtime.total.share()),
        };
        Called {
            memory,
            outcome: redacted(outcome, &denials.look().redactor()),
            denials: denials.take(),
            looked_at_environment: denials.look().was_listed(),
        }
    }

    async fn attempt(
        &self,
        export: &ExportPath,
        arguments: Arc<Map<String, Value>>,
        sandbox: &Sandbox,
        denials: &Denials,
    ) -> Result<Answer, CallError> {
        self.inner.note_call();
        let code = self.code().await.map_err(CallError::Compile)?;
        let path = export;
        let export = code.export(path)?;
        let runtime = &self.inner.runtime;
        let limits = CallLimits::new(sandbox.limits(), &runtime.options);
        let pace = Pace::new(&self.inner.turns, limits.cpu);
        let allocation = code.allocation;
        let call = Call {
            code,
            export,
            arguments,
            sandbox: sandbox.clone(),
            denials: denials.clone(),
            host: self.inner.host.clone(),
            component: Arc::clone(&self.inner.name),
            limits,
            total: Arc::clone(&runtime.total),
            pace: Arc::clone(&pace),
        };
        let met = |exceeded: Exceeded| {
            CallError::Limit(LimitMet {
                set_by: limits.set_by(&exceeded),
                exceeded,
                component: Arc::clone(&self.inner.name),
            })
        };
        // The timer is the server's: guests that loop cannot delay it. Waiting
        // for other calls counts, since the client waits as well.
        let limit = limits.time.value;
        let end = tokio::time::Instant::now() + limit.min(LONGEST);
        let calls = match allocation {
            Allocation::Pooled => limits.instances.value,
            Allocation::OnDemand => limits.instances.value.min(APART_OF_ONE),
        };
        let place = tokio::time::timeout_at(end, self.inner.gate.enter(calls)).await;
        let _place = place.map_err(|_| {
            met(Exceeded::Instances {
                limit: calls,
                waited: limit,
            })
        })?;
        match tokio::time::timeout_at(end, self.run(path, call)).await {
            Ok(returned) => returned,
            Err(_) => Err(met(Exceeded::Time {
                limit,
                held: pace.held(),
            })),
        }
    }

    /// Runs a call in the pool, or outside it where the pool is full.
    async fn run(&self, export: &ExportPath, mut call: Call) -> Result<Answer, CallError> {
        if call.code.allocation == Allocation::Pooled {
            match self.run_guest(call.clone()).await {
                Err(CallError::Busy) => {}
                answer => return answer,
            }
            tracing::debug!(component = &*self.inner.name, "the pool is full");
            call.code = self.inner.code_apart().await.ok_or(CallError::Busy)?;
            // An export's index is good for the code that it was looked up in.
            call.export = call.code.export(export)?;
        }
        let place = self.inner.runtime.apart.try_acquire();
        let _place = place.map_err(|_| CallError::Busy)?;
        self.run_guest(call).await
    }

    async fn run_guest(&self, call: Call) -> Result<Answer, CallError> {
        let runtime = &self.inner.runtime;
        let ticking = runtime.ticker.start();
        let start = if ticking.is_alone() {
            Start::Here
        } else {
            Start::Apart
        };
        let guest = async move {
            let _ticking = ticking;
            call.run().await
        };
        runtime.guests.run(start, guest).await
    }

    /// Lets go of code that was not called for `idle` and is on disk, where the
    /// next call finds it; calls under way keep theirs.
    pub fn rest(&self, idle: Duration) {
        self.inner.rest(idle);
    }

    /// Of the component's bytes.
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

    /// Makes the first code that can be called, and leaves it on disk. Nothing
    /// goes on afterwards.
    ///
    /// # Errors
    ///
    /// Why there is no code.
    pub async fn callable(&self) -> Result<CompileReport, CompileError> {
        self.inner.first().await
    }

    /// Waits for the optimised code, compiling it if need be. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// Why there is no optimised code.
    pub async fn optimised(&self, force: Force) -> Result<CompileReport, Arc<CompileError>> {
        // Someone else's work in progress makes fresh code too.
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

    /// The best code there is, or the first there will be.
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
                // In the same poll as the last change of the state, so that the
                // guard never takes the work of the next task for its own.
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

/// Takes the secrets out of what a call ended with. What a guest prints and what
/// it is denied goes other ways, each with its redactor.
fn redacted(
    mut outcome: Result<Returned, CallError>,
    redactor: &Redactor,
) -> Result<Returned, CallError> {
    match &mut outcome {
        Ok(Returned::Ok(value) | Returned::Err(value)) => redactor.value(value),
        Err(error) => error.redact(redactor),
    }
    outcome
}

/// The state when the runtime that did the work went away.
fn stopped() -> CompileError {
    CompileError::Load {
        message: "the compile was stopped".into(),
    }
}

impl Inner {
    fn note_call(&self) {
        *self
            .last_call
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Code for instances outside the pool. There is none before the optimised
    /// code is on disk.
    async fn code_apart(&self) -> Option<Arc<Code>> {
        if let Some(code) = &self.state.borrow().apart {
            return Some(Arc::clone(code));
        }
        let code = Arc::new(self.runtime.apart(&self.source).await?);
        self.state
            .send_modify(|state| state.apart = Some(Arc::clone(&code)));
        Some(code)
    }

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
