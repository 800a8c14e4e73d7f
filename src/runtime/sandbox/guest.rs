//! The host's state for one instance.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

#[cfg(unix)]
use super::files::FilesView;
use super::files::{OpenFiles, Withheld};
use super::network::{Network, http_context};
use super::{Denials, Host, Printing, Sandbox};
use crate::runtime::limits::{Limiter, RESOURCES};
use crate::runtime::printed::LastWords;

/// The state of one instance that host functions use.
pub(in crate::runtime) struct Guest {
    sandbox: Sandbox,
    /// The component's file name, for the log.
    component: Arc<str>,
    /// Created at first use: many guests never use WASI.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    network: Network,
    #[cfg_attr(not(unix), expect(dead_code, reason = "no files there"))]
    open: OpenFiles,
    #[cfg_attr(not(unix), expect(dead_code, reason = "no files there"))]
    withheld: Arc<Withheld>,
    denials: Denials,
    table: ResourceTable,
    /// Most bytes that it may print.
    output_limit: u64,
    last_words: LastWords,
    pub limiter: Limiter,
}

impl Guest {
    pub fn new(
        sandbox: Sandbox,
        component: Arc<str>,
        limiter: Limiter,
        output_limit: u64,
        denials: Denials,
        host: Host,
    ) -> Self {
        let withheld = Arc::clone(&host.withheld);
        let network = Network::new(sandbox.clone(), denials.clone(), host);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Guest {
            sandbox,
            component,
            wasi: None,
            http: http_context(),
            network,
            open: OpenFiles::default(),
            withheld,
            denials,
            table,
            output_limit,
            last_words: LastWords::default(),
            limiter,
        }
    }

    /// Returns the end of its standard error; can be taken only once.
    pub fn last_words(&self) -> Option<String> {
        self.last_words.take()
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    #[cfg(unix)]
    pub(super) fn files(&mut self) -> FilesView<'_> {
        FilesView {
            files: &self.sandbox.granted.files,
            open: &mut self.open,
            table: &mut self.table,
            withheld: &self.withheld,
            denials: &self.denials,
        }
    }

    pub fn denials(&self) -> &Denials {
        &self.denials
    }

    pub(super) fn network(&mut self) -> (&mut Network, &mut ResourceTable) {
        (&mut self.network, &mut self.table)
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| {
            let printing = Printing {
                component: &self.component,
                limit: self.output_limit,
                last_words: &self.last_words,
            };
            self.sandbox
                .wasi(printing, &self.network, self.denials.look())
        });
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.network,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
