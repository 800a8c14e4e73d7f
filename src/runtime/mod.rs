//! Runs components: engines, code on disk, sandboxes, limits, calls.
//!
//! ```text
//! Runtime ── Program ── code: cached .cwasm, or baseline and then optimised
//!                 └──── call: a fresh instance on a guest thread
//! ```
//!
//! Engines, threads and code are created at the first call, not at the start.

mod cache;
mod call;
mod client;
mod code;
mod compile;
mod config_store;
mod demand;
mod engine;
mod error;
mod guests;
mod jobs;
mod limits;
mod link;
mod printed;
mod program;
mod sandbox;
mod sentences;
mod shared;
mod ticker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use client::Client;
pub use engine::Tier;
pub use error::{CallError, CompileError};
pub use limits::{
    Answers, Exceeded, Kept, LimitMet, MemoryShare, NoRoom, Reader, SetBy, TotalMemory,
    machine_memory,
};
pub use program::{Called, CodeSource, CompileReport, Force, Program};
pub use sandbox::{
    Denial, DenialKind, Environment, NetworkOptions, Resolve, Sandbox, SandboxOptions,
    SystemResolver, Variables,
};

pub use crate::schema::value::{Respelled, Returned};

use crate::digest::Digest;
use crate::policy::{CpuShare, Limits};
use crate::store::Layout;

use cache::Miss;
use code::Code;
use demand::Demand;
use engine::{APART, Allocation, Engines, Running};
use guests::Guests;
use jobs::{Compiled, Job, Jobs};
use sandbox::Host;
use shared::Shared;
use ticker::Ticker;

/// How components are compiled, and the default limits of calls.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// This program, run with the hidden subcommand `compile`.
    pub compiler: PathBuf,
    /// Compilers write to its staging directories. They are on the same filesystem as the
    /// components, so that finished code can be renamed into place.
    pub layout: Layout,
    /// Time limit of a call.
    pub call_timeout: Duration,
    /// Bytes of memory per call: arguments, linear memories and tables.
    pub memory_limit: u64,
    /// Bytes of memory of all calls together, including their results; by default
    /// half of the memory available to this process. Never less than `memory_limit`.
    pub total_memory: Option<u64>,
    /// Bytes of a result's JSON, and separately of the text that a guest prints during a call.
    pub output_limit: u64,
    /// Most background compilers at once; as many more may run for calls that wait for code.
    pub compile_jobs: usize,
    /// Time limit of a compiler.
    pub compile_timeout: Duration,
    /// Certificate authorities and the resolver for guests' connections.
    pub network: NetworkOptions,
    /// Files and directories that no guest gets, whatever its grants; the root of the layout is
    /// always added.
    pub withheld: Vec<PathBuf>,
}

impl RuntimeOptions {
    /// Returns the documented defaults.
    pub fn new(compiler: PathBuf, layout: Layout) -> Self {
        RuntimeOptions {
            compiler,
            layout,
            call_timeout: Duration::from_secs(30),
            memory_limit: 512 << 20,
            total_memory: None,
            output_limit: 16 << 20,
            compile_jobs: thread::available_parallelism()
                .map_or(1, |cores| (cores.get() - 1).max(1)),
            compile_timeout: Duration::from_secs(300),
            network: NetworkOptions::default(),
            withheld: Vec::new(),
        }
    }

    /// Returns the limits that apply where a policy sets none.
    pub fn limits(&self) -> Limits {
        Limits {
            memory: Some(self.memory_limit),
            cpu: Some(CpuShare::MOST),
            time: Some(self.call_timeout),
            instances: Some(limits::INSTANCES),
            output: Some(self.output_limit),
        }
    }
}

/// Tries the pool first, which refuses code that exceeds a pool slot.
const EITHER: &[Allocation] = &[Allocation::Pooled, Allocation::OnDemand];

/// The state of a component's code on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeState {
    Sound,
    Absent,
    /// It could not be loaded; the reason is a message for users.
    Unusable(String),
}

/// The state that all programs share. Creating one only stores the options.
pub struct Runtime {
    options: RuntimeOptions,
    jobs: Jobs,
    shared: Shared,
    engines: Engines,
    ticker: Ticker,
    guests: Guests,
    total: Arc<TotalMemory>,
    /// Permits for calls outside the pools.
    apart: Semaphore,
    host: Host,
}

impl Runtime {
    pub fn new(options: RuntimeOptions) -> Arc<Self> {
        let jobs = Jobs::new(
            options.compiler.clone(),
            options.layout.clone(),
            options.compile_timeout,
            options.compile_jobs,
        );
        let shared = Shared::new(options.layout.clone());
        let mut withheld = options.withheld.clone();
        withheld.push(options.layout.root().to_path_buf());
        let host = Host::new(options.network.clone(), withheld);
        let total = match options.total_memory {
            Some(bytes) => TotalMemory::new(bytes.max(options.memory_limit)),
            None => TotalMemory::of_this_machine(options.memory_limit),
        };
        Arc::new(Runtime {
            options,
            jobs,
            shared,
            total,
            apart: Semaphore::new(APART),
            engines: Engines::default(),
            ticker: Ticker::default(),
            guests: Guests::default(),
            host,
        })
    }

    /// Returns the memory that all work for clients shares. The server also charges the requests
    /// and answers that it keeps here.
    pub fn memory(&self) -> &Arc<TotalMemory> {
        &self.total
    }

    /// Creates a component to call. Reads nothing from disk yet.
    pub fn program(self: &Arc<Self>, source: CodeSource) -> Arc<Program> {
        Arc::new(Program::new(Arc::clone(self), source))
    }

    /// Runs the compiler process: reads a task from standard input and compiles one
    /// component. Limits the resources of its own process, so it must not run inside
    /// a server.
    ///
    /// # Errors
    ///
    /// A [`CompileError`], to be printed to standard error.
    pub fn compile_main() -> Result<(), CompileError> {
        compile::main()
    }

    /// Keeps one compiler process started ahead for the next component.
    pub async fn stay_ahead(&self) {
        self.jobs.stay_ahead().await;
    }

    /// Hashes the code on disk and compares it with its seal.
    pub fn examine(&self, source: &CodeSource) -> CodeState {
        let key = match self.engines.optimised_key(source.digest) {
            Ok(key) => key,
            Err(error) => return CodeState::Unusable(error.to_string()),
        };
        match cache::examine(&source.cwasm, &key) {
            Ok(()) => CodeState::Sound,
            // Code of another version of this program or of the previous version of
            // the component: the next call recompiles.
            Err(Miss::Absent | Miss::Engine | Miss::Component) => CodeState::Absent,
            Err(miss) => CodeState::Unusable(miss.to_string()),
        }
    }

    /// Compiles a component and loads its code, using `directory` as the root, so that it does not
    /// wait for the root's locks.
    ///
    /// # Errors
    ///
    /// Returns why there is no code.
    pub async fn try_compiler(
        &self,
        directory: &Path,
        source: CodeSource,
    ) -> Result<(), Arc<CompileError>> {
        let elsewhere = Runtime::new(RuntimeOptions {
            layout: Layout::new(directory),
            ..self.options.clone()
        });
        let program = elsewhere.program(source);
        program.optimised(Force::No).await.map(drop)
    }

    /// Loads the code on disk, if it is valid.
    async fn cached(self: &Arc<Self>, source: &CodeSource) -> Option<Code> {
        match self
            .load(Tier::Optimised, EITHER, source.cwasm.clone(), source.digest)
            .await
        {
            Ok(code) => code
                .inspect_err(|miss| match miss {
                    Miss::Absent => {}
                    // A warning, because it costs a compilation at every start.
                    Miss::Foreign(_) => {
                        tracing::warn!("not using `{}`: {miss}", source.cwasm.display());
                    }
                    _ => tracing::debug!("not using `{}`: {miss}", source.cwasm.display()),
                })
                .ok(),
            // Compiling meets the same error and reports it.
            Err(_) => None,
        }
    }

    /// Loads the code on disk for instances outside the pool, if it is valid.
    async fn apart(self: &Arc<Self>, source: &CodeSource) -> Option<Code> {
        let only = &[Allocation::OnDemand];
        let path = source.cwasm.clone();
        let loaded = self.load(Tier::Optimised, only, path, source.digest);
        loaded.await.ok()?.ok()
    }

    /// Loads the baseline code that an earlier compilation left, if it is valid.
    async fn kept_baseline(self: &Arc<Self>, source: &CodeSource) -> Option<Code> {
        let path = self.shared.baseline(source.digest);
        if !path.exists() {
            return None;
        }
        let load = self.load(Tier::Baseline, EITHER, path, source.digest);
        let code = load.await.ok()?;
        code.inspect_err(|miss| tracing::debug!("not using baseline code: {miss}"))
            .ok()
    }

    /// Moves new code to its path on disk. If that fails, the next start compiles again.
    async fn keep(self: &Arc<Self>, tier: Tier, compiled: Compiled, source: &CodeSource) {
        let (runtime, source) = (Arc::clone(self), source.clone());
        let keep = move || match tier {
            Tier::Optimised => runtime.keep_optimised(&compiled, &source),
            Tier::Baseline => {
                let kept = (runtime.shared).keep_baseline(source.digest, &compiled.path);
                if let Err(error) = kept {
                    tracing::debug!("cannot keep baseline code: {error}");
                }
            }
        };
        if let Err(error) = tokio::task::spawn_blocking(keep).await {
            tracing::debug!("code not kept: {error}");
        }
    }

    /// Compiles in a process of its own and loads the code.
    async fn fresh(
        self: &Arc<Self>,
        tier: Tier,
        source: &CodeSource,
        demand: &Demand,
    ) -> Result<(Code, Compiled), CompileError> {
        let wasm = &source.wasm;
        let compiled = self.jobs.compile(Job { tier, wasm, demand }).await?;
        let loaded = self
            .load(tier, EITHER, compiled.path.clone(), source.digest)
            .await?;
        let code = loaded.map_err(|miss| match miss {
            Miss::Component => CompileError::Changed {
                expected: source.digest,
            },
            Miss::Engine => CompileError::OtherVersion {
                compiler: self.options.compiler.clone(),
            },
            miss => CompileError::Load {
                message: miss.to_string(),
            },
        })?;
        Ok((code, compiled))
    }

    /// Maps and links code on a blocking thread.
    async fn load(
        self: &Arc<Self>,
        tier: Tier,
        allocations: &'static [Allocation],
        path: PathBuf,
        component: Digest,
    ) -> Result<Result<Code, Miss>, CompileError> {
        let runtime = Arc::clone(self);
        let load = move || {
            let mut refused = None;
            for allocation in allocations {
                let running = runtime.engines.get(tier, *allocation, &runtime.ticker)?;
                match runtime.load_in(tier, &running, &path, component)? {
                    Err(miss @ Miss::Refused(_)) => refused = Some(miss),
                    other => return Ok(other),
                }
            }
            Ok(Err(refused.unwrap_or(Miss::Absent)))
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.unwrap_or_else(|error| {
            Err(CompileError::Load {
                message: error.to_string(),
            })
        })
    }

    fn load_in(
        &self,
        tier: Tier,
        running: &Running,
        path: &Path,
        component: Digest,
    ) -> Result<Result<Code, Miss>, CompileError> {
        let key = running.key(component);
        let mut loaded = cache::load(&running.engine, path, &key);
        if tier == Tier::Optimised
            && let Err(miss) = &loaded
            && let Ok(shared) = cache::load(&running.engine, &self.shared.place(&key), &key)
        {
            // Another process put the code of a newer version there; leave it.
            if !matches!(miss, Miss::Component) {
                self.shared.adopt(&key, path);
            }
            loaded = Ok(shared);
        }
        Ok(match loaded {
            Ok(component) => Ok(Code::new(tier, running, &component)?),
            Err(miss) => Err(miss),
        })
    }

    fn keep_optimised(&self, compiled: &Compiled, source: &CodeSource) {
        let cwasm = &source.cwasm;
        if let Err(error) = std::fs::rename(&compiled.path, cwasm) {
            tracing::debug!("cannot keep `{}`: {error}", cwasm.display());
            return;
        }
        self.shared.forget_baseline(source.digest);
        let Ok(key) = self.engines.optimised_key(source.digest) else {
            return;
        };
        if let Err(error) = self.shared.offer(&key, cwasm) {
            tracing::debug!("cannot share `{}`: {error}", cwasm.display());
        }
    }
}
