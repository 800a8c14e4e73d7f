//! The transports by which clients reach the server.
//!
//! All of them stop in the same way: they accept no more requests, give running calls
//! [`GRACE`] to end, and cancel the rest.

mod accept;
mod caller;
mod channel;
mod error;
mod events;
mod http;
mod lines;
mod message;
mod outgoing;
mod read_ahead;
mod routes;
mod session_id;
mod sessions;
mod sse;
mod stdio;
mod streamable_http;
mod tolerated;

use std::time::Duration;

pub(super) use caller::Caller;
pub use error::ServeError;
pub use http::serve_http;
pub(super) use outgoing::refusal;
pub use stdio::serve_stdio;

/// How long running calls may take after the server was told to stop; `rmcp` waits equally long
/// after the end of a connection's input.
const GRACE: Duration = Duration::from_secs(5);
