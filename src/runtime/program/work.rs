//! A component's code, from the first call to its optimised form.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{CompileReport, Force, Inner, Work};
use crate::runtime::code::Code;
use crate::runtime::demand::Demand;
use crate::runtime::engine::Tier;
use crate::runtime::error::CompileError;

/// Components up to this many bytes are optimised at once: a second process
/// would take longer than it saves.
const SMALL: u64 = 128 << 10;

/// Nobody waits for ever for work that was aborted or panicked.
pub(super) struct Working {
    inner: Arc<Inner>,
    ended: bool,
}

impl Working {
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        Working {
            inner: Arc::clone(inner),
            ended: false,
        }
    }

    pub(super) fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.inner.state.send_if_modified(|state| {
            let running = matches!(state.work, Work::Running);
            if running {
                state.work = Work::Idle;
            }
            running
        });
    }
}

impl Inner {
    /// From nothing to optimised code.
    pub(super) async fn work(&self, force: Force) {
        let started = Instant::now();
        let work = match self.make(force).await {
            Ok(report) => {
                tracing::debug!(component = &*self.name, took = ?started.elapsed(), "code ready");
                Work::Done(report)
            }
            Err(error) => {
                tracing::debug!(component = &*self.name, %error, "no optimised code");
                Work::Failed(Arc::new(error))
            }
        };
        self.state.send_modify(|state| state.work = work);
    }

    async fn make(&self, force: Force) -> Result<CompileReport, CompileError> {
        if force == Force::No
            && let Some(code) = self.runtime.cached(&self.source).await
        {
            self.install(code);
            return Ok(self.report(Duration::ZERO));
        }
        if self.state.borrow().code.is_none() && !self.is_small() {
            match self.compile(Tier::Baseline, &self.demand).await {
                Ok(_) => {}
                Err(error @ (CompileError::Link { .. } | CompileError::Changed { .. })) => {
                    return Err(error);
                }
                // Not an error: some components need the other compiler.
                Err(error) => {
                    tracing::debug!(component = &*self.name, %error, "no baseline code");
                }
            }
        }
        // Calls that have code wait for no better one.
        let (has_code, nobody) = (self.state.borrow().code.is_some(), Demand::default());
        let demand = if has_code { &nobody } else { &self.demand };
        let took = self.compile(Tier::Optimised, demand).await?;
        Ok(self.report(took))
    }

    fn is_small(&self) -> bool {
        std::fs::metadata(&self.source.wasm).is_ok_and(|metadata| metadata.len() <= SMALL)
    }

    async fn compile(&self, tier: Tier, demand: &Demand) -> Result<Duration, CompileError> {
        let (code, took) = self.runtime.compile(tier, &self.source, demand).await?;
        self.install(code);
        Ok(took)
    }

    /// Later calls use this code; those that are running keep theirs.
    fn install(&self, code: Code) {
        let tier = code.tier;
        self.state
            .send_modify(|state| state.code = Some(Arc::new(code)));
        tracing::debug!(
            component = &*self.name,
            tier = tier.name(),
            "code swapped in"
        );
    }

    fn report(&self, took: Duration) -> CompileReport {
        let code = std::fs::metadata(&self.source.cwasm);
        CompileReport {
            tier: Tier::Optimised,
            cached: took.is_zero(),
            compile_ms: took.as_millis() as u64,
            code_bytes: code.map_or(0, |metadata| metadata.len()),
        }
    }
}
