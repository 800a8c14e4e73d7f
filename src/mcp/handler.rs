//! What the server answers to each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use serde_json::{Map, Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::{Class, Diagnose};
use crate::service::{Error, Service};

use super::builtin::Builtin;
use super::changes;
use super::convert;
use super::listing::Listing;
use super::progress::Reporter;

const INSTRUCTIONS: &str = "Wassette runs WebAssembly components as tools, each in a sandbox. \
Find components with `search-components`, add one with `load-component`, and its functions \
appear in the tool list; `list-components` and `unload-component` manage what is installed.";

/// What all connections share.
pub(super) struct Server {
    service: Arc<Service>,
    listing: Listing,
    /// The calls under way, so that a shutdown can wait for them.
    calls: TaskTracker,
    /// Cancelled when no more requests are taken.
    closing: CancellationToken,
}

impl Server {
    pub(super) fn new(service: Arc<Service>) -> Arc<Self> {
        Arc::new(Server {
            service,
            listing: Listing::default(),
            calls: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
    }

    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// A handler for one connection.
    pub(super) fn connection(self: &Arc<Self>) -> Handler {
        let closing = self.closing.child_token();
        Handler {
            server: self.clone(),
            closing: closing.clone(),
            announcing: AtomicBool::new(false),
            _gone: closing.drop_guard(),
        }
    }

    /// Waits for the calls under way, but no longer than `limit`.
    pub(super) async fn drain(&self, limit: Duration) {
        self.calls.close();
        if tokio::time::timeout(limit, self.calls.wait())
            .await
            .is_err()
        {
            tracing::warn!("{} calls were cut short", self.calls.len());
        }
    }
}

/// One connection's view of the server.
pub(super) struct Handler {
    server: Arc<Server>,
    /// Cancelled when the connection takes no more requests, or is gone.
    closing: CancellationToken,
    announcing: AtomicBool,
    _gone: DropGuard,
}

impl Handler {
    /// Cancel this when the peer's requests have ended, so that subscriptions
    /// end instead of holding up the connection's end.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    async fn run(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let service = &self.server.service;
        if let Some(builtin) = Builtin::named(tool) {
            let reporter = Reporter::of(context);
            let work = builtin.call(service, arguments, &reporter);
            return Ok(match reporter.during(work).await {
                Ok(result) => result,
                Err(failure) => convert::failure(&failure),
            });
        }
        let report = service.call(tool, &arguments).await;
        match report.outcome {
            Ok(outcome) => Ok(convert::outcome(outcome, &report.denied)),
            Err(error @ Error::UnknownTool { .. }) => Err(unknown_tool(&error)),
            Err(error) => Ok(convert::failed_call(&error, &report.denied)),
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let server = Implementation::new("wassette", env!("CARGO_PKG_VERSION"))
            .with_title("Wassette")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(capabilities)
            .with_server_info(server)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        let tools = self.server.listing.tools(self.server.service.toolbox());
        tools
            .page(cursor.as_deref())
            .map_err(|error| ErrorData::invalid_params(error.to_string(), None))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _under_way = self.server.calls.token();
        let started = Instant::now();
        let tool = request.name;
        let arguments = request.arguments.unwrap_or_default();
        // Losing the race drops the work, which stops a download or a guest.
        let result = tokio::select! {
            biased;
            () = context.ct.cancelled() => Ok(convert::failure(&Cancelled)),
            result = self.run(&tool, arguments, &context) => result,
        };
        audit(&tool, &result, started);
        result.map(CallToolResponse::from)
    }

    /// The client is ready: from now on it hears of changes to the tool list.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        if !self.announcing.swap(true, Ordering::Relaxed) {
            let changes = self.server.service.toolbox().changes();
            changes::announce(context.peer, changes, self.closing.clone());
        }
    }

    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let changes = self.server.service.toolbox().changes();
        changes::publish(&subscription, changes, &self.closing).await;
        Ok(())
    }
}

/// The one line each call leaves in the log.
fn audit(tool: &str, result: &Result<CallToolResult, ErrorData>, started: Instant) {
    let outcome = match result {
        Ok(result) if result.is_error == Some(true) => "failed",
        Ok(_) => "ok",
        Err(_) => "refused",
    };
    let micros = started.elapsed().as_micros();
    tracing::debug!(target: "wassette::audit", tool, outcome, micros, "call");
}

/// `-32602`, as the specification has it for a tool that does not exist.
fn unknown_tool(error: &Error) -> ErrorData {
    let hint = error.hint();
    let message = match &hint {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    };
    let data = json!({ "code": error.code(), "hint": hint });
    ErrorData::invalid_params(message, Some(data))
}

/// Who cancels a request gets no response; others hear this when the server
/// stops before their call has ended.
#[derive(Debug, thiserror::Error)]
#[error("The call was cancelled")]
struct Cancelled;

impl Diagnose for Cancelled {
    fn code(&self) -> &'static str {
        "cancelled"
    }

    fn class(&self) -> Class {
        Class::Call
    }
}
