//! Errors that end a transport.

use rmcp::service::ServerInitializeError;

use crate::error::{Class, Diagnose};

/// The reason why a transport ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("The client did not begin as the protocol requires")]
    Handshake(#[source] Box<ServerInitializeError>),
    #[error("The service loop ended early")]
    Loop(#[source] tokio::task::JoinError),
}

impl Diagnose for ServeError {
    fn code(&self) -> &'static str {
        match self {
            ServeError::Handshake(_) => "handshake-failed",
            ServeError::Loop(_) => "internal",
        }
    }

    fn class(&self) -> Class {
        Class::Other
    }
}
