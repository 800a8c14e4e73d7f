//! What a guest can reach: nothing, unless granted.

mod denials;

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use super::limits::Limiter;
use super::printed::{Channel, Printed};

pub(super) use denials::Denials;

pub use denials::{Denial, DenialKind};

/// The grants of one component, cheap to clone.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Grants>);

#[derive(Debug, Default)]
struct Grants {
    environment: Vec<(String, String)>,
}

impl Sandbox {
    /// No environment, no arguments, no files, no network and no name lookup.
    /// Clocks and randomness are there.
    pub fn deny_all() -> Self {
        Sandbox(Arc::default())
    }

    /// As [`Sandbox::deny_all`], with these environment variables.
    pub fn with_environment(environment: Vec<(String, String)>) -> Self {
        Sandbox(Arc::new(Grants { environment }))
    }

    /// The variables the guest sees, both as its environment and as `wasi:config`.
    pub(super) fn environment(&self) -> &[(String, String)] {
        &self.0.environment
    }

    /// Whether a guest can make the thread it runs on wait, as files do.
    pub(super) fn can_block(&self) -> bool {
        // No files are granted yet.
        false
    }

    fn wasi(&self, component: &Arc<str>) -> WasiCtx {
        let mut wasi = WasiCtx::builder();
        wasi.envs(self.environment());
        // Guests have threads of their own to block.
        wasi.allow_blocking_current_thread(true);
        if tracing::enabled!(tracing::Level::DEBUG) {
            wasi.stdout(Printed::new(Channel::Stdout, component));
            wasi.stderr(Printed::new(Channel::Stderr, component));
        }
        wasi.build()
    }
}

/// The host's side of one instance.
pub(super) struct Guest {
    sandbox: Sandbox,
    /// The component's file name, for the log.
    component: Arc<str>,
    /// Made when first asked for: many guests never ask.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    hooks: DenyRequests,
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
            hooks: DenyRequests(denials),
            table: ResourceTable::new(),
            limiter,
        }
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
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
