//! The MCP server: offers components' exports and the server's own tools to agents.
//!
//! ```text
//! transport/ (stdio, sse, streamable_http) -> handler -> service
//!                                               |-> listing  (tools/list, pages)
//!                                               |-> offer    (which builtins there are)
//!                                               |-> builtin  (call, load, list, grant, …)
//!                                               |-> convert  (to and from MCP types)
//!                                               |-> progress (notifications/progress)
//!                                               |-> changes  (tools/list_changed)
//!                                               '-> audit    (one line for each call)
//! ```
//!
//! It supports every protocol revision that `rmcp` supports, from 2024-11-05 to the
//! stateless 2026-07-28. An error of a tool is a result with `isError: true`; a
//! JSON-RPC error means a violation of the protocol, such as an unknown tool.

mod audit;
mod builtin;
mod changes;
mod convert;
mod denials;
mod elicitation;
mod extras;
mod handler;
mod instructions;
mod listing;
mod offer;
mod progress;
mod run;
mod transport;

pub use audit::{AuditError, AuditLog};
pub use builtin::RESERVED_NAMES;
pub use offer::{Builtins, CallTool, Changes, Effect, Grants, Offer};
pub use transport::{ServeError, serve_http, serve_stdio};

/// The settings of the server, independent of the transport.
#[derive(Debug, Default)]
pub struct Settings {
    pub offer: Offer,
    /// The audit log of calls, in addition to the log.
    pub audit: Option<AuditLog>,
}
