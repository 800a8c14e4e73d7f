//! What is installed, as a read-only OCI registry: the pull side of the
//! [distribution specification][spec].
//!
//! | path | |
//! |---|---|
//! | `/v2/` | 200: this is a registry |
//! | `/v2/NAME/manifests/TAG` or `…/DIGEST` | an OCI manifest or image index |
//! | `/v2/NAME/blobs/DIGEST` | a config or layer, whole or one range of it |
//! | `/v2/NAME/tags/list` | the tags, `?n=` of them after `?last=` |
//!
//! Each takes GET and HEAD, and `?ns=REGISTRY` as containerd sends it.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod address;
mod answer;
mod fault;
mod range;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::auth::{self, Auth};
use super::intake::Intake;
use crate::service::share::Share;
use address::Address;
pub(super) use fault::Fault;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

struct Registry {
    share: Arc<Share>,
    intake: Arc<Intake>,
}

/// The routes, behind the same tokens as all others.
pub(super) fn routes(share: Arc<Share>, intake: Arc<Intake>, auth: Arc<Auth>) -> Router {
    let registry = Arc::new(Registry { share, intake });
    Router::new()
        .route("/v2", any(answer::api))
        .route("/v2/", any(answer::api))
        .route("/v2/{*rest}", any(serve).with_state(registry))
        .layer(from_fn(read_only))
        .layer(from_fn_with_state(auth, auth::check_registry))
        .layer(from_fn(version))
}

async fn serve(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    request: Request,
) -> Result<Response, Fault> {
    let Path(path) = path.map_err(|_| Fault::Name)?;
    let query = request.uri().query().unwrap_or_default();
    let address = Address::read(&path, query)?;
    registry.answer(address, request.headers()).await
}

impl Registry {
    async fn answer(&self, address: Address, headers: &HeaderMap) -> Result<Response, Fault> {
        // Held until the last byte has left.
        let place = self.intake.download().map_err(|_| Fault::Busy)?;
        match address {
            Address::Tags(repository, page) => {
                let tags = self.share.tags(&repository).await?;
                Ok(answer::tags(&repository, tags, &page))
            }
            Address::Manifest(repository, name) => {
                let item = self.share.manifest(&repository, &name).await?;
                answer::item(item, headers, place)
            }
            Address::Blob(repository, digest) => {
                let item = self.share.blob(&repository, digest).await?;
                answer::item(item, headers, place)
            }
        }
    }
}

/// Middleware: 405 for all that would write.
async fn read_only(request: Request, next: Next) -> Result<Response, Fault> {
    let is_head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => return Err(Fault::ReadOnly),
    };
    let mut response = next.run(request).await;
    if is_head {
        // The length of what a GET would bring stays in the headers.
        *response.body_mut() = Body::empty();
    }
    Ok(response)
}

/// Middleware: the header by which older clients tell a registry.
async fn version(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await.into_response();
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert(API_VERSION, version);
    response
}
