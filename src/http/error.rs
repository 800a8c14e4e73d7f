//! The errors of starting the HTTP server.

use std::io;

use crate::error::{Class, Diagnose};

/// Why the HTTP server could not start.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("Failed to listen on `{address}`")]
    Bind { address: String, source: io::Error },
    #[error("`{address}` is reachable from other machines, and no authentication is configured")]
    Exposed { address: String },
    #[error("`{text}` is not a host name with an optional port")]
    AllowedHost { text: String },
    #[error("`{text}` is not an origin")]
    AllowedOrigin { text: String },
}

impl Diagnose for HttpError {
    fn code(&self) -> &'static str {
        self.kind().0
    }

    fn class(&self) -> Class {
        self.kind().1
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            HttpError::Bind { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another process listens there; choose another port, or 0 for any free one"
                }
                io::ErrorKind::PermissionDenied => "choose a port of 1024 or above",
                _ => "give the address of this machine as host:port, such as 127.0.0.1:8089",
            },
            HttpError::Exposed { .. } => {
                "give `--auth-token-file FILE` (`(umask 077; openssl rand -hex 32 > FILE)` makes \
                 one), or `--no-auth` if everyone who can connect may load and call components"
            }
            HttpError::AllowedHost { .. } => "write it as in `mcp.example.com` or `10.0.0.7:8089`",
            HttpError::AllowedOrigin { .. } => {
                "write it as browsers do, as in `https://app.example.com` or \
                 `http://localhost:5173`"
            }
        };
        Some(hint.into())
    }
}

impl HttpError {
    fn kind(&self) -> (&'static str, Class) {
        match self {
            HttpError::Bind { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                ("bind-failed", Class::Usage)
            }
            HttpError::Bind { .. } => ("bind-failed", Class::Network),
            HttpError::Exposed { .. } => ("auth-required", Class::Usage),
            HttpError::AllowedHost { .. } => ("invalid-host", Class::Usage),
            HttpError::AllowedOrigin { .. } => ("invalid-origin", Class::Usage),
        }
    }
}
