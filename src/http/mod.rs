//! The HTTP server: the layers between a listener and the routers mounted on it. It depends on
//! neither MCP nor the shared registry.
//!
//! ```text
//! connection (places, header size and time, stalled peers)
//!   -> guard (Host and Origin: DNS rebinding)
//!        |-> /healthz, /readyz
//!        |-> registry routers, which check the token themselves
//!        '-> cors -> auth (bearer token) -> intake (places, memory, body) -> routers
//! ```

mod auth;
mod connections;
mod cors;
mod error;
mod guard;
mod held;
mod in_flight;
mod intake;
mod limits;
mod listen;
mod places;
mod server;
mod stalled;
mod tokens;

pub use auth::{Auth, AuthRefusal, AuthScheme};
pub use error::HttpError;
#[cfg(any(test, fuzzing))]
pub(crate) use guard::fuzz;
pub use in_flight::InFlight;
pub use intake::{Charged, Intake, IntakeRefusal, RequestMemory, unavailable};
pub use limits::HttpLimits;
pub use places::{Owner, Place, Places};
pub use server::{HttpOptions, HttpServer};
pub use tokens::{Credential, TokenError, Tokens};
