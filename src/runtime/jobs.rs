//! The server's side of compiling: one short-lived process per component, of which
//! one may be started ahead.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use super::compile::{Priority, Task};
use super::demand::Demand;
use super::engine::Tier;
use super::error::CompileError;
use crate::store::{Layout, Staging};

/// Bytes of a compiler's error output that are kept.
const STDERR_LIMIT: u64 = 16 << 10;

/// Runs compiler processes, a few at a time.
pub(super) struct Jobs {
    compiler: PathBuf,
    layout: Layout,
    timeout: Duration,
    background: Semaphore,
    /// A separate queue, so that jobs that calls wait for never queue behind others.
    awaited: Semaphore,
    stays_ahead: AtomicBool,
    /// A compiler process that was started ahead and waits for its task.
    ahead: Mutex<Option<Waiting>>,
}

/// A compiler process; it ends when its standard input is closed.
struct Waiting {
    process: Child,
    stdin: Option<ChildStdin>,
    stderr: Option<ChildStderr>,
}

/// One component to compile.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub tier: Tier,
    pub wasm: &'a Path,
    /// Reports whether calls wait for the code.
    pub demand: &'a Demand,
}

/// Fresh code in a private directory, which is removed when this is dropped.
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
            stays_ahead: AtomicBool::new(false),
            ahead: Mutex::default(),
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

    /// Waits for a permit to run. A background job moves to the queue of awaited jobs when a call
    /// starts to wait for it. The semaphores are never closed; without a permit the job would just
    /// run unqueued.
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
        let task = Task {
            tier,
            priority,
            component: job.wasm.to_owned(),
            code: output.to_owned(),
        };
        let waiting = self.ahead.lock().await.take();
        let mut child = self.begin(waiting, &task).await?;
        let stderr = child.stderr.take();
        let finish = async {
            let message = match stderr {
                Some(stderr) => read_bounded(stderr).await,
                None => String::new(),
            };
            // The input stays open until here: if this process is killed, the pipe
            // breaks and the child ends.
            (child.process.wait().await, message)
        };
        let timed_out = CompileError::Timeout {
            tier,
            limit: self.timeout,
        };
        // A timeout drops the future, which kills the child.
        let finished = tokio::time::timeout(self.timeout, finish).await;
        let (status, message) = finished.map_err(|_| timed_out)?;
        self.start_ahead().await;
        let status = status.map_err(self.not_run())?;
        outcome(tier, status, message)
    }

    /// From now on keeps one compiler process started ahead: for small components,
    /// most of the time is the process's start.
    pub async fn stay_ahead(&self) {
        self.stays_ahead.store(true, Ordering::Relaxed);
        self.start_ahead().await;
    }

    async fn start_ahead(&self) {
        if !self.stays_ahead.load(Ordering::Relaxed) {
            return;
        }
        let mut ahead = self.ahead.lock().await;
        if ahead.is_none() {
            // If starting fails, the next task reports why.
            *ahead = self.start().ok();
        }
    }

    /// Gives the task to the process that was started ahead, or to a fresh one.
    async fn begin(&self, waiting: Option<Waiting>, task: &Task) -> Result<Waiting, CompileError> {
        if let Some(mut child) = waiting {
            match child.give(task).await {
                Ok(()) => return Ok(child),
                Err(error) => tracing::debug!("the compiler that waited is gone: {error}"),
            }
        }
        let mut child = self.start()?;
        if let Err(error) = child.give(task).await {
            // Its exit status and error output show why it ended.
            tracing::debug!("the compiler does not take its task: {error}");
        }
        Ok(child)
    }

    fn start(&self) -> Result<Waiting, CompileError> {
        let mut process = Command::new(&self.compiler)
            .arg("compile")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(self.not_run())?;
        Ok(Waiting {
            stdin: process.stdin.take(),
            stderr: process.stderr.take(),
            process,
        })
    }

    fn not_run(&self) -> impl Fn(std::io::Error) -> CompileError {
        let compiler = self.compiler.clone();
        move |source| CompileError::Spawn {
            compiler: compiler.clone(),
            source,
        }
    }
}

impl Waiting {
    async fn give(&mut self, task: &Task) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(task)?;
        line.push(b'\n');
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(&line).await,
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
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

/// Returns the start of a compiler's error output, without its prefix `error: `.
async fn read_bounded(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let mut start = (&mut stderr).take(STDERR_LIMIT);
    if let Err(error) = start.read_to_end(&mut bytes).await {
        tracing::debug!("cannot read the compiler's error output: {error}");
    }
    // Keep reading, or a compiler with more output would block on the full pipe.
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    text.strip_prefix("error: ").unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn calls_do_not_queue_behind_what_is_compiled_in_the_background() {
        let timeout = Duration::from_secs(1);
        let jobs = Jobs::new("compiler".into(), Layout::new("/root"), timeout, 2);
        let (nobody, call) = (Demand::default(), Demand::default());
        let turn = |demand| jobs.turn(demand).now_or_never();
        let first = turn(&nobody).expect("a turn");
        let _second = turn(&nobody).expect("a turn");
        assert!(turn(&nobody).is_none() && turn(&call).is_none());
        // From now on a call waits for the code.
        let _waiting = call.wait();
        let (_third, priority) = turn(&call).expect("a turn");
        assert_eq!(priority, Priority::Awaited);
        let _fourth = turn(&call).expect("a turn");
        assert!(turn(&call).is_none());
        drop(first);
        let (_fifth, priority) = turn(&nobody).expect("a turn");
        assert_eq!(priority, Priority::Background);
    }
}
