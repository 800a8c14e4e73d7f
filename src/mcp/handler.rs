//! The server's answer to each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::request::Parts;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode,
    Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, ServerResult,
    SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::error::Diagnose;
use crate::error::plain::plain;
use crate::http::InFlight;
use crate::runtime::NoRoom;
use crate::service::Service;

use super::audit::{AuditLog, Call};
use super::builtin::{Failure, Requested, tolerate_object};
use super::elicitation::Elicitation;
use super::listing::Listing;
use super::offer::Offer;
use super::run::failed;
use super::transport::refusal;
use super::{Settings, changes, convert, instructions};

/// How long a request waits for its client to read other answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// The state that all connections share.
pub(super) struct Server {
    pub(super) service: Arc<Service>,
    pub(super) offer: Offer,
    listing: Listing,
    audit: Option<AuditLog>,
    /// The running calls, so that a shutdown can wait for them.
    calls: TaskTracker,
    /// Cancelled when no more requests are taken.
    closing: CancellationToken,
}

impl Server {
    pub(super) fn new(service: Arc<Service>, settings: Settings) -> Arc<Self> {
        Arc::new(Server {
            service,
            offer: settings.offer,
            listing: Listing::new(settings.offer),
            audit: settings.audit,
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

    /// Waits for the running calls, at most for `limit`.
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
    pub(super) server: Arc<Server>,
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
}

/// The resources of the request, if its transport counts them.
pub(super) fn in_flight(context: &RequestContext<RoleServer>) -> Option<InFlight> {
    let head = context.extensions.get::<Parts>();
    let in_head = head.and_then(|head| head.extensions.get::<InFlight>());
    in_head.or(context.extensions.get::<InFlight>()).cloned()
}

/// Waits until the client has read enough of its earlier answers.
pub(super) async fn room(context: &RequestContext<RoleServer>) -> Result<(), NoRoom> {
    match in_flight(context).and_then(|place| place.reader()) {
        Some(reader) => reader.room(Instant::now() + PATIENCE).await,
        None => Ok(()),
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
            .with_instructions(instructions::of(self.server.offer))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        room(&context).await.map_err(no_room)?;
        let cursor = request.and_then(|request| request.cursor);
        let tools = self.server.listing.tools(self.server.service.toolbox());
        if let Some(place) = in_flight(&context) {
            // Reserved before the page is made, because many pages may be requested at once.
            place.answer(tools.page_bytes()).map_err(no_room)?;
        }
        self.server.service.make_missing_code();
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
        let mut call = Call::begin(&request.name, &context);
        let audit = self.server.audit.as_ref();
        if let Some(Err(error)) = audit.map(AuditLog::ready) {
            return Ok(failed(&error, &mut call).into());
        }
        let elicitation = Elicitation::of(&context, request.input_responses);
        let arguments = request.arguments.unwrap_or_default();
        let (offer, toolbox) = (self.server.offer, self.server.service.toolbox());
        let mut via = None;
        let response = match Requested::of(&request.name, arguments, offer, toolbox) {
            Ok(requested) => {
                via = requested.via;
                call.reaches(&requested.tool, via);
                // Set before the call runs, so that a cancelled call is recorded with its
                // component.
                call.component = self.component(&requested.tool, &requested.arguments);
                self.run(requested, &context, &elicitation, &mut call).await
            }
            Err(failure) => Ok(failed(&failure, &mut call).into()),
        };
        call.end(&response, audit);
        match response {
            Ok(response) => Ok(response),
            // `call-tool` itself exists: only its argument names an unknown tool.
            Err(unknown) if via.is_some() => Ok(convert::failure(&unknown).into()),
            Err(unknown) => Err(unknown_tool(&unknown)),
        }
    }

    /// Handles calls whose parameters differ from the protocol. Some clients send `[]` for no
    /// arguments, or the arguments as JSON text.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if request.method != "tools/call" {
            let method = crate::text::line(&request.method);
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None));
        }
        let mut params = request.params.unwrap_or_default();
        if let Some(arguments) = params.get_mut("arguments") {
            tolerate_object(arguments);
        }
        let invalid = |fault: serde_json::Error| {
            let fault = plain(fault);
            ErrorData::invalid_params(format!("Invalid parameters of `tools/call`: {fault}"), None)
        };
        let params = serde_json::from_value(params).map_err(invalid)?;
        let response = self.call_tool(params, context).await?;
        let internal =
            |fault: serde_json::Error| ErrorData::internal_error(fault.to_string(), None);
        let result = serde_json::to_value(ServerResult::from(response)).map_err(internal)?;
        Ok(CustomResult::new(result))
    }

    // Clients ask for these whatever the server offers, and some give up on an error.

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::default())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::default())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::default())
    }

    /// The client is ready: from now on it is notified of changes to the tool list.
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
        // A subscription lasts as long as the client likes, and uses no slot meanwhile.
        if let Some(place) = in_flight(subscription.request_context()) {
            place.release();
        }
        let changes = self.server.service.toolbox().changes();
        changes::publish(&subscription, changes, &self.closing).await;
        Ok(())
    }
}

fn no_room(no_room: NoRoom) -> ErrorData {
    refusal(None, no_room).error
}

/// `-32602`, as the specification has it for a tool that does not exist.
fn unknown_tool(error: &Failure) -> ErrorData {
    let hint = error.hint();
    let message = match &hint {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    };
    let data = json!({ "code": error.code(), "hint": hint });
    ErrorData::invalid_params(message, Some(data))
}
