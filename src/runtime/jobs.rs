//! The server's side of compiling: one short-lived process per job.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

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
    /// Baseline jobs never queue behind the long optimised ones.
    baseline: Semaphore,
    optimised: Semaphore,
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
            baseline: Semaphore::new(at_once),
            optimised: Semaphore::new(at_once),
        }
    }

    /// Compiles a component; dropping the future kills the compiler.
    pub async fn compile(&self, tier: Tier, wasm: &Path) -> Result<Compiled, CompileError> {
        let permits = match tier {
            Tier::Baseline => &self.baseline,
            Tier::Optimised => &self.optimised,
        };
        // The semaphores are never closed, and without a permit all the job
        // lacks is its turn.
        let _permit = permits.acquire().await.ok();
        let started = Instant::now();
        let directory = Staging::scratch(&self.layout).map_err(CompileError::Staging)?;
        let path = directory.path().join("code.cwasm");
        self.run(tier, wasm, &path).await?;
        let took = started.elapsed();
        tracing::debug!(tier = tier.name(), wasm = %wasm.display(), ?took, "compiled");
        Ok(Compiled {
            _directory: directory,
            path,
            took,
        })
    }

    async fn run(&self, tier: Tier, input: &Path, output: &Path) -> Result<(), CompileError> {
        let mut child = Command::new(&self.compiler)
            .args(["compile", "--tier", tier.name()])
            .args([input, output])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CompileError::Spawn {
                compiler: self.compiler.clone(),
                source,
            })?;
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
