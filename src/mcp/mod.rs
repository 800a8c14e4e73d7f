//! The MCP server: components' exports, and the four built-in tools, for agents.
//!
//! ```text
//! transport/ (stdio, sse, streamable_http) -> handler -> service
//!                                               |-> listing  (tools/list, pages)
//!                                               |-> builtin  (load, unload, list, search)
//!                                               |-> convert  (to and from MCP types)
//!                                               |-> progress (notifications/progress)
//!                                               '-> changes  (tools/list_changed)
//! ```
//!
//! Every protocol revision `rmcp` knows is spoken, from 2024-11-05 to the
//! stateless 2026-07-28. A domain failure is a result with `isError: true`; a
//! JSON-RPC error means a fault in the protocol, such as an unknown tool.

mod builtin;
mod changes;
mod convert;
mod handler;
mod listing;
mod progress;
mod transport;

pub use builtin::RESERVED_NAMES;
pub use transport::{HttpOptions, ServeError, bind, serve_http, serve_stdio};
