//! Makes a component's code, from the first call to the optimised form.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{CompileReport, Force, Inner, Work};
use crate::runtime::code::Code;
use crate::runtime::demand::Demand;
use crate::runtime::engine::Tier;
use crate::runtime::error::CompileError;

/// Components up to this many bytes are optimised at once: a second compiler process
/// would take longer than it saves.
const SMALL: u64 = 128 << 10;

/// Guards the work on a component's code: if the work is aborted or panics, dropping
/// this marks it as idle, so that no call waits for it for ever.
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
    /// Makes the first code and then the optimised code.
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
        if force == Force::No {
            let first = self.first().await?;
            if first.tier == Tier::Optimised {
                return Ok(first);
            }
        }
        // Once there is code, no call waits for better code.
        let (has_code, nobody) = (self.state.borrow().code.is_some(), Demand::default());
        let demand = if has_code { &nobody } else { &self.demand };
        self.compile(Tier::Optimised, demand).await
    }

    /// Installs the first code that can be called: the code on disk, or else that of the tier that
    /// compiles fastest, which is then kept on disk.
    pub(super) async fn first(&self) -> Result<CompileReport, CompileError> {
        if let Some(code) = self.runtime.cached(&self.source).await {
            self.install(code);
            return Ok(self.report(Tier::Optimised, Duration::ZERO));
        }
        if !self.is_small() {
            if let Some(code) = self.runtime.kept_baseline(&self.source).await {
                self.install(code);
                return Ok(self.report(Tier::Baseline, Duration::ZERO));
            }
            match self.compile(Tier::Baseline, &self.demand).await {
                Ok(report) => return Ok(report),
                Err(error @ (CompileError::Link { .. } | CompileError::Changed { .. })) => {
                    return Err(error);
                }
                // Not an error: Winch cannot compile some components.
                Err(error) => {
                    tracing::debug!(component = &*self.name, %error, "no baseline code");
                }
            }
        }
        self.compile(Tier::Optimised, &self.demand).await
    }

    fn is_small(&self) -> bool {
        std::fs::metadata(&self.source.wasm).is_ok_and(|metadata| metadata.len() <= SMALL)
    }

    /// Compiles, stores the code on disk, and only then lets calls use it, so that a
    /// program that ends after one call has stored it.
    async fn compile(&self, tier: Tier, demand: &Demand) -> Result<CompileReport, CompileError> {
        let (code, compiled) = self.runtime.fresh(tier, &self.source, demand).await?;
        let took = compiled.took;
        self.runtime.keep(tier, compiled, &self.source).await;
        self.install(code);
        Ok(self.report(tier, took))
    }

    /// Later calls use this code; running calls keep theirs.
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

    fn report(&self, tier: Tier, took: Duration) -> CompileReport {
        let code = match tier {
            Tier::Optimised => std::fs::metadata(&self.source.cwasm),
            Tier::Baseline => std::fs::metadata(self.runtime.shared.baseline(self.source.digest)),
        };
        CompileReport {
            tier,
            cached: took.is_zero(),
            compile_ms: took.as_millis() as u64,
            code_bytes: code.map_or(0, |metadata| metadata.len()),
        }
    }
}
