//! How clients reach the server.
//!
//! The service's end is the same everywhere: no more requests are taken, the
//! calls under way get [`GRACE`] to end, and what is left is cancelled.

mod accept;
mod caller;
mod channel;
mod error;
mod events;
mod http;
mod lines;
mod message;
mod outgoing;
mod routes;
mod session_id;
mod sessions;
mod sse;
mod stdio;
mod streamable_http;

use std::time::Duration;

pub(super) use caller::Caller;
pub use error::ServeError;
pub use http::serve_http;
pub(super) use outgoing::refusal;
pub use stdio::serve_stdio;

/// How long calls may run on after the server was told to stop. The same as
/// `rmcp` waits at the end of a connection's input.
const GRACE: Duration = Duration::from_secs(5);
