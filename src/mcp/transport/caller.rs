//! Whose request it is, as far as a transport knows.

use rmcp::model::Extensions;

use crate::http::Credential;

use super::session_id;

/// What is known of who made a request; travels with it.
#[derive(Clone, Debug)]
pub(in crate::mcp) struct Caller {
    /// As it is called on the command line.
    pub transport: &'static str,
    /// A name for the session, which does not open it.
    pub session: Option<String>,
    /// A name for the token that was shown, if one was.
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

    /// The caller of a request with these extensions. Both HTTP transports put
    /// the head of the HTTP request there.
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
