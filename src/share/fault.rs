//! Errors, in the [error format][spec] of registries.
//!
//! [spec]:
//! https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::content::NotShared;

/// Seconds after which a client may retry.
const RETRY: &str = "1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Name,
    Digest,
    Tag,
    Endpoint,
    UnknownName,
    Ambiguous,
    UnknownManifest,
    UnknownBlob,
    ReadOnly,
    Unauthorized,
    Busy,
    Failed,
}

impl From<NotShared> for Fault {
    fn from(reason: NotShared) -> Self {
        match reason {
            NotShared::Name => Fault::UnknownName,
            NotShared::Ambiguous => Fault::Ambiguous,
            NotShared::Manifest => Fault::UnknownManifest,
            NotShared::Blob => Fault::UnknownBlob,
            NotShared::Failed(error) => {
                tracing::warn!("cannot share: {error}");
                Fault::Failed
            }
        }
    }
}

impl Fault {
    /// The status, the specification's error code, and a message.
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Fault::Name => (
                S::BAD_REQUEST,
                "NAME_INVALID",
                "not the name of a repository",
            ),
            Fault::Digest => (
                S::BAD_REQUEST,
                "DIGEST_INVALID",
                "a digest is `sha256:` and 64 lower-case digits",
            ),
            Fault::Tag => (S::NOT_FOUND, "MANIFEST_UNKNOWN", "not a tag"),
            Fault::Endpoint => (S::NOT_FOUND, "UNSUPPORTED", "not served here"),
            Fault::UnknownName => (S::NOT_FOUND, "NAME_UNKNOWN", "no such repository is shared"),
            Fault::Ambiguous => (
                S::NOT_FOUND,
                "NAME_UNKNOWN",
                "several registries have a repository of this name: add `?ns=REGISTRY`, or \
                 begin the name with the registry",
            ),
            Fault::UnknownManifest => (
                S::NOT_FOUND,
                "MANIFEST_UNKNOWN",
                "no such OCI manifest is shared",
            ),
            Fault::UnknownBlob => (S::NOT_FOUND, "BLOB_UNKNOWN", "no such blob is shared"),
            Fault::ReadOnly => (
                S::METHOD_NOT_ALLOWED,
                "UNSUPPORTED",
                "this registry is read-only",
            ),
            Fault::Unauthorized => (
                S::UNAUTHORIZED,
                "UNAUTHORIZED",
                "a token of this server is needed, as the password of any user",
            ),
            Fault::Busy => (
                S::SERVICE_UNAVAILABLE,
                "TOOMANYREQUESTS",
                "too many requests are being worked on",
            ),
            Fault::Failed => (
                S::INTERNAL_SERVER_ERROR,
                "UNKNOWN",
                "the installed components cannot be read",
            ),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let body = Json(json!({ "errors": [{ "code": code, "message": message }] }));
        match self {
            Fault::ReadOnly => (status, [(header::ALLOW, "GET, HEAD")], body).into_response(),
            Fault::Busy => (status, [(header::RETRY_AFTER, RETRY)], body).into_response(),
            Fault::Unauthorized => {
                let challenge = "Basic realm=\"wassette\"";
                (status, [(header::WWW_AUTHENTICATE, challenge)], body).into_response()
            }
            _ => (status, body).into_response(),
        }
    }
}
