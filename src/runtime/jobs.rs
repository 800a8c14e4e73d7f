//! The server's side of compiling: one short-lived process per job.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::compile::Priority;
use super::demand::Demand;
use super::engine::Tier;
use super::error::CompileError;
use crate::store::{Layout, Staging};

/// Bytes of a compiler's error output that are kept.
const STDERR_LIMIT: u64 = 16 << 10;

/// Runs compilers, a few at a time.
pub(super) struct Jobs {
    compiler: PathBuf,
    layout: Layout,
    timeout: Duration,
    background: Semaphore,
    /// What a call waits for never queues behind what nobody waits for.
    awaited: Semaphore,
}

/// One component to compile.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub tier: Tier,
    pub wasm: &'a Path,
    /// Who waits for it.
    pub demand: &'a Demand,
}

/// Fresh code in a private directory, which goes when this is dropped.
pub(super) struct Compiled {
    /// Held for its `Drop`.
    _directory: Staging,
    pub path: PathBuf,
    pub took: Duration,
}

impl Jobs {
    pub fn new(compiler: PathBuf, layout: Layout, timeout: Duration, at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Jobs {
            compiler,
            layout,
            timeout,
            background: Semaphore::new(at_once),
            awaited: Semaphore::new(at_once),
        }
    }

    /// Compiles a component; dropping the future kills the compiler.
    pub async fn compile(&self, job: Job<'_>) -> Result<Compiled, CompileError> {
        let (_permit, priority) = self.turn(job.demand).await;
        let started = Instant::now();
        let layout = self.layout.clone();
        let directory = tokio::task::spawn_blocking(move || Staging::scratch(&layout)).await;
        let directory = directory
            .map_err(|error| CompileError::Load {
                message: error.to_string(),
            })?
            .map_err(CompileError::Staging)?;
        let path = directory.path().join("code.cwasm");
        self.run(job, priority, &path).await?;
        let took = started.elapsed();
        tracing::debug!(
            tier = job.tier.name(),
            wasm = %job.wasm.display(),
            priority = priority.name(),
            ?took,
            "compiled"
        );
        Ok(Compiled {
            _directory: directory,
            path,
            took,
        })
    }

    /// Waits until the job may run; one that a call comes to wait for
    /// meanwhile changes queues. The semaphores are never closed, and without
    /// a permit all the job lacks is its turn.
    async fn turn(&self, demand: &Demand) -> (Option<SemaphorePermit<'_>>, Priority) {
        tokio::select! {
            biased;
            () = demand.arises() => (self.awaited.acquire().await.ok(), Priority::Awaited),
            permit = self.background.acquire() => (permit.ok(), Priority::Background),
        }
    }

    async fn run(
        &self,
        job: Job<'_>,
        priority: Priority,
        output: &Path,
    ) -> Result<(), CompileError> {
        let tier = job.tier;
        let mut child = Command::new(&self.compiler)
            .args(["compile", "--tier", tier.name()])
            .args(["--priority", priority.name(), "--end-with-input"])
            .args([job.wasm, output])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CompileError::Spawn {
                compiler: self.compiler.clone(),
                source,
            })?;
        // Should this process be killed, the pipe breaks and the child ends.
        let _alive = child.stdin.take();
        let stderr = child.stderr.take();
        let finish = async {
            let message = match stderr {
                Some(stderr) => read_bounded(stderr).await,
                None => String::new(),
            };
            (child.wait().await, message)
        };
        let timed_out = CompileError::Timeout {
            tier,
            limit: self.timeout,
        };
        // On a timeout the future is dropped, and the child with it.
        let finished = tokio::time::timeout(self.timeout, finish).await;
        let (status, message) = finished.map_err(|_| timed_out)?;
        let status = status.map_err(|source| CompileError::Spawn {
            compiler: self.compiler.clone(),
            source,
        })?;
        outcome(tier, status, message)
    }
}

fn outcome(tier: Tier, status: ExitStatus, message: String) -> Result<(), CompileError> {
    if status.success() {
        Ok(())
    } else if status.code().is_some() {
        Err(CompileError::Refused { tier, message })
    } else {
        Err(CompileError::Crashed {
            tier,
            status,
            message,
        })
    }
}

/// The start of a compiler's error output, without the `error: ` before it.
async fn read_bounded(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let mut start = (&mut stderr).take(STDERR_LIMIT);
    if let Err(error) = start.read_to_end(&mut bytes).await {
        tracing::debug!("cannot read the compiler's error output: {error}");
    }
    // Read on, or a compiler with more to say would wait for ever.
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    text.strip_prefix("error: ").unwrap_or(text).to_owned()
}
