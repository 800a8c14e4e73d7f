//! Compiles the optimised code that installed components lack.
//!
//! A load ends when its tools can be called, and a server may be stopped before its
//! compilers are done. The next server compiles the rest, after the first client has
//! its list of tools, so that no start waits for a compiler.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Service;
use crate::runtime::Program;

impl Service {
    /// Compiles missing code in the background, once in the life of the service, and
    /// then keeps a compiler process started ahead. Needs a tokio runtime; returns at
    /// once.
    pub fn make_missing_code(self: &Arc<Self>) {
        if self.missing_code_made.swap(true, Ordering::Relaxed) {
            return;
        }
        let service = Arc::clone(self);
        let runtime = tokio::runtime::Handle::current();
        let ahead = Arc::clone(&self.runtime);
        runtime.spawn(async move { ahead.stay_ahead().await });
        tokio::task::spawn_blocking(move || {
            let missing = service.without_code();
            if missing.is_empty() {
                return;
            }
            tracing::info!(
                components = missing.len(),
                "compiling in the background what has no optimised code yet"
            );
            let _runtime = runtime.enter();
            missing.iter().for_each(|program| program.warm());
        });
    }

    /// The programs without optimised code. Blocks, because it reads what is
    /// installed.
    fn without_code(&self) -> Vec<Arc<Program>> {
        let tools = self.toolbox.list();
        let mut ids: Vec<_> = tools.iter().map(|tool| &tool.component).collect();
        ids.sort_unstable();
        ids.dedup();
        let store = self.disk.blocking();
        let installed = ids
            .into_iter()
            .filter_map(|id| store.get(id).ok().flatten());
        let programs = installed.map(|installed| self.program_of(&installed));
        programs.filter(|program| !program.has_code()).collect()
    }
}
