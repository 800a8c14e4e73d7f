//! Why the server could not start, or stopped.

use std::io;

use rmcp::service::ServerInitializeError;

use crate::error::{Class, Diagnose};

/// Why the server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("Failed to listen on `{address}`")]
    Bind { address: String, source: io::Error },
    #[error("Others than this machine could reach `{address}`, and nothing says who may")]
    Exposed { address: String },
    #[error("`{text}` is not a host name with an optional port")]
    AllowedHost { text: String },
    #[error("`{text}` is not an origin")]
    AllowedOrigin { text: String },
    #[error("Only the HTTP transports can share what is installed")]
    ShareTransport,
    #[error("The client did not begin as the protocol requires")]
    Handshake(#[source] Box<ServerInitializeError>),
    #[error("The service loop ended before its time")]
    Loop(#[source] tokio::task::JoinError),
}

impl Diagnose for ServeError {
    fn code(&self) -> &'static str {
        match self {
            ServeError::Bind { .. } => "bind-failed",
            ServeError::Exposed { .. } => "auth-required",
            ServeError::AllowedHost { .. } => "invalid-host",
            ServeError::AllowedOrigin { .. } => "invalid-origin",
            ServeError::ShareTransport => "share-needs-http",
            ServeError::Handshake(_) => "handshake-failed",
            ServeError::Loop(_) => "internal",
        }
    }

    fn class(&self) -> Class {
        match self {
            ServeError::AllowedHost { .. }
            | ServeError::AllowedOrigin { .. }
            | ServeError::ShareTransport
            | ServeError::Exposed { .. } => Class::Usage,
            ServeError::Bind { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                Class::Usage
            }
            ServeError::Bind { .. } => Class::Network,
            ServeError::Handshake(_) | ServeError::Loop(_) => Class::Other,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            ServeError::Bind { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another process listens there; choose another port, or 0 for any free one"
                }
                io::ErrorKind::PermissionDenied => "choose a port of 1024 or above",
                _ => "give the address of this machine as host:port, such as 127.0.0.1:8089",
            },
            ServeError::Exposed { .. } => {
                "give `--auth-token-file FILE` (`(umask 077; openssl rand -hex 32 > FILE)` makes \
                 one), or `--no-auth` if everyone who can connect may load and call components"
            }
            ServeError::AllowedHost { .. } => "write it as in `mcp.example.com` or `10.0.0.7:8089`",
            ServeError::AllowedOrigin { .. } => {
                "write it as browsers do, as in `https://app.example.com` or \
                 `http://localhost:5173`"
            }
            ServeError::ShareTransport => "add `--transport sse` or `--transport streamable-http`",
            ServeError::Handshake(_) | ServeError::Loop(_) => return None,
        };
        Some(hint.into())
    }
}
