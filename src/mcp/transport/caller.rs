//! Identifies the sender of a request.

use rmcp::model::Extensions;

use crate::http::Credential;

use super::session_id;

/// What is known about the sender of a request; stored in its extensions.
#[derive(Clone, Debug)]
pub(in crate::mcp) struct Caller {
    /// The transport's name on the command line.
    pub transport: &'static str,
    /// A label of the session, which cannot be used to access it.
    pub session: Option<String>,
    /// A label of the request's token, if it has one.
    pub credential: Option<String>,
}

impl Caller {
    pub(super) fn over_http(
        transport: &'static str,
        session: Option<&str>,
        credential: Option<Credential>,
    ) -> Self {
        Caller {
            transport,
            session: session.map(session_id::label),
            credential: credential.map(|credential| credential.label()),
        }
    }

    /// The caller of a request with these extensions. Both HTTP transports store the
    /// head of the HTTP request there.
    pub(in crate::mcp) fn of(extensions: &Extensions) -> Self {
        let head = extensions.get::<http::request::Parts>();
        let caller = head.and_then(|head| head.extensions.get::<Caller>());
        caller.cloned().unwrap_or(Caller {
            transport: "stdio",
            session: None,
            credential: None,
        })
    }
}
