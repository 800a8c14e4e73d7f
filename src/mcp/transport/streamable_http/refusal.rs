//! Refusals of this transport as HTTP responses.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rmcp::model::RequestId;

use crate::http::unavailable;

use super::super::message::{Unreadable, invalid};

/// The reason why a request is refused.
pub(super) enum Refusal {
    MediaType,
    Revision,
    NoSessionNamed(Option<RequestId>),
    NoSuchSession,
    TooManySessions,
    Unreadable(Unreadable),
    Failed,
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Self {
        Refusal::Unreadable(unreadable)
    }
}

pub(in crate::mcp::transport) fn too_many_sessions() -> Response {
    unavailable("60", "too many sessions")
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let text = |status: StatusCode, text: &'static str| (status, text).into_response();
        match self {
            Refusal::MediaType => text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported Media Type: the Content-Type must be application/json\n",
            ),
            Refusal::Revision => text(
                StatusCode::BAD_REQUEST,
                "Bad Request: this MCP-Protocol-Version is not known\n",
            ),
            Refusal::NoSuchSession => text(
                StatusCode::NOT_FOUND,
                "Not Found: no such session; begin a new one with `initialize`\n",
            ),
            Refusal::TooManySessions => too_many_sessions(),
            Refusal::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Refusal::NoSessionNamed(id) => bad_request(&invalid(
                id,
                "no `Mcp-Session-Id` header: begin a session with `initialize`",
            )),
            Refusal::Unreadable(unreadable) => bad_request(&unreadable),
        }
    }
}

fn bad_request(unreadable: &Unreadable) -> Response {
    tracing::warn!("refused a message: {}", unreadable.error.message);
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (StatusCode::BAD_REQUEST, headers, unreadable.encode()).into_response()
}
