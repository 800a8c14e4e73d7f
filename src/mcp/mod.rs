//! The MCP server: components' exports, and the tools of the server itself, for agents.
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
//! Every protocol revision `rmcp` knows is spoken, from 2024-11-05 to the
//! stateless 2026-07-28. A domain failure is a result with `isError: true`; a
//! JSON-RPC error means a fault in the protocol, such as an unknown tool.

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
mod transport;

pub use audit::{AuditError, AuditLog};
pub use builtin::RESERVED_NAMES;
pub use offer::{Builtins, CallTool, Changes, Effect, Grants, Offer};
pub use transport::{ServeError, serve_http, serve_stdio};

/// How the server behaves, whichever way clients reach it.
#[derive(Debug, Default)]
pub struct Settings {
    pub offer: Offer,
    /// Where each call is recorded, besides the log.
    pub audit: Option<AuditLog>,
}
