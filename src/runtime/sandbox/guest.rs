//! The host's side of one instance.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

#[cfg(unix)]
use super::files::FilesView;
use super::files::OpenFiles;
use super::{DenialKind, Denials, Sandbox};
use crate::runtime::limits::Limiter;

/// What host functions see of a guest.
pub(in crate::runtime) struct Guest {
    sandbox: Sandbox,
    /// The component's file name, for the log.
    component: Arc<str>,
    /// Made when first asked for: many guests never ask.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    hooks: DenyRequests,
    #[cfg_attr(not(unix), expect(dead_code, reason = "no files there"))]
    open: OpenFiles,
    denials: Denials,
    table: ResourceTable,
    pub limiter: Limiter,
}

impl Guest {
    pub fn new(sandbox: Sandbox, component: Arc<str>, limiter: Limiter, denials: Denials) -> Self {
        Guest {
            sandbox,
            component,
            wasi: None,
            http: WasiHttpCtx::new(),
            hooks: DenyRequests(denials.clone()),
            open: OpenFiles::default(),
            denials,
            table: ResourceTable::new(),
            limiter,
        }
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    #[cfg(unix)]
    pub(super) fn files(&mut self) -> FilesView<'_> {
        FilesView {
            files: &self.sandbox.0.files,
            open: &mut self.open,
            table: &mut self.table,
            denials: &self.denials,
        }
    }

    pub fn denials(&self) -> &Denials {
        &self.denials
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self
            .wasi
            .get_or_insert_with(|| self.sandbox.wasi(&self.component));
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// Answers every outgoing request with `HTTP-request-denied`.
struct DenyRequests(Denials);

/// What tells whether an exchange ended well.
type Ended = Box<dyn Future<Output = Result<(), HttpError>> + Send>;
type Response = Result<(http::Response<WasiBody>, Ended), HttpError>;

impl WasiHttpHooks for DenyRequests {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _ended: Ended,
    ) -> Box<dyn Future<Output = Response> + Send> {
        self.0
            .record(DenialKind::Request, &request.uri().to_string());
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}
