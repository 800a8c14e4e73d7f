//! The server, and the layers through which requests reach its routers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;

use super::auth::{self, Auth};
use super::guard::{self, Guard};
use super::intake::{self, Intake};
use super::{HttpError, HttpLimits, connections, cors, listen};
use crate::runtime::TotalMemory;

/// The settings of the HTTP server.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    pub auth: Auth,
    /// Hosts (`name` or `name:port`) that the `Host` and `Origin` headers may name, in addition to
    /// the loopback ones.
    pub allowed_hosts: Vec<String>,
    /// Origins (`SCHEME://name[:port]`) that the `Origin` header may name, in addition to those of
    /// the allowed hosts.
    pub allowed_origins: Vec<String>,
    pub limits: HttpLimits,
    /// The memory budget that requests and answers share with calls; if `None`, half of this
    /// machine's memory.
    pub memory: Option<Arc<TotalMemory>>,
}

/// A listener, and the routers that answer its requests.
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    guard: Arc<Guard>,
    auth: Arc<Auth>,
    intake: Arc<Intake>,
    limits: HttpLimits,
    router: Router,
}

impl HttpServer {
    /// Listens on `host:port`; requests are answered from [`serve`](Self::serve) on.
    /// A separate step, so that a wrong option or a taken port is reported before
    /// anything else is started.
    ///
    /// # Errors
    ///
    /// [`HttpError`].
    pub async fn bind(address: &str, options: HttpOptions) -> Result<Self, HttpError> {
        let guard = Guard::new(&options.allowed_hosts, &options.allowed_origins)?;
        let listener = listen::bind(address, &options.auth).await?;
        let address = listener.local_addr().map_err(|source| HttpError::Bind {
            address: address.to_owned(),
            source,
        })?;
        let auth = Arc::new(options.auth);
        let memory = options
            .memory
            .unwrap_or_else(|| TotalMemory::of_this_machine(0));
        Ok(HttpServer {
            listener,
            address,
            guard: Arc::new(guard),
            intake: Arc::new(Intake::new(options.limits.clone(), auth.clone(), &memory)),
            auth,
            limits: options.limits,
            router: Router::new(),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn limits(&self) -> &HttpLimits {
        &self.limits
    }

    pub fn auth(&self) -> &Arc<Auth> {
        &self.auth
    }

    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// Adds routes behind all layers: their requests need a bearer token, are
    /// limited, and may come from pages of allowed origins.
    pub fn mount(&mut self, router: Router) {
        let layers = ServiceBuilder::new()
            .layer(from_fn(cors::answer))
            .layer(from_fn_with_state(self.auth.clone(), auth::check))
            .layer(from_fn_with_state(self.intake.clone(), intake::take));
        self.mount_bare(router.layer(layers));
    }

    /// Adds routes behind the guard only. The router itself calls
    /// [`auth`](Self::auth) and [`intake`](Self::intake), because its protocol has
    /// its own format for refusals.
    pub fn mount_bare(&mut self, router: Router) {
        self.router = std::mem::take(&mut self.router).merge(router);
    }

    /// Answers only `/healthz`, and `/readyz` with 503, until the work is done.
    pub async fn until_ready<T>(&self, work: impl Future<Output = T>) -> T {
        let starting = || async { (StatusCode::SERVICE_UNAVAILABLE, "starting\n") };
        let router = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .fallback(starting)
            .layer(from_fn_with_state(self.guard.clone(), guard::check));
        let done = CancellationToken::new();
        let limits = self.limits.clone();
        let serving = connections::accept_until(done.clone(), &self.listener, router, limits);
        let working = async {
            let result = work.await;
            done.cancel();
            result
        };
        // Connections that are still open end by themselves.
        let (result, _) = tokio::join!(working, serving);
        result
    }

    /// Serves until `closing` is cancelled, then waits for the open connections to
    /// end.
    pub async fn serve(self, closing: CancellationToken) {
        if let Auth::Tokens(tokens) = &*self.auth {
            let (following, closing) = (tokens.clone().follow(), closing.clone());
            tokio::spawn(async move { closing.run_until_cancelled(following).await });
        }
        let router = self
            .router
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready).with_state(closing.clone()))
            .layer(from_fn_with_state(self.guard, guard::check));
        connections::serve(self.listener, router, self.limits, closing).await;
    }
}

/// 200 while requests are accepted, 503 after that.
async fn ready(State(closing): State<CancellationToken>) -> (StatusCode, &'static str) {
    if closing.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "closing\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}
