//! Serves the installed components as a read-only OCI registry: the pull side of the
//! [distribution specification][spec].
//!
//! | path | |
//! |---|---|
//! | `/v2/` | 200, which confirms that this is a registry |
//! | `/v2/NAME/manifests/TAG` or `…/DIGEST` | an OCI manifest or image index |
//! | `/v2/NAME/blobs/DIGEST` | a config or layer, whole or one range of it |
//! | `/v2/NAME/tags/list` | the tags: at most `?n=`, after `?last=` |
//!
//! Each path answers GET and HEAD, and takes `?ns=REGISTRY`, which containerd sends.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod address;
mod answer;
mod checked;
mod content;
mod fault;
mod index;
mod names;
mod range;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::ServiceBuilder;

use crate::http::{Auth, AuthRefusal, AuthScheme, HttpServer, Intake, Owner};
use crate::store::Store;

use address::Address;
use content::Share;
use fault::Fault;

pub use content::Scope;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

struct Registry {
    share: Arc<Share>,
    intake: Arc<Intake>,
}

/// Adds the registry to the server, with the same tokens as its other routes, and
/// logs in the background how much is shared.
pub fn mount(server: &mut HttpServer, store: Store, scope: Scope) {
    let share = Share::new(store, scope);
    let announced = share.clone();
    tokio::spawn(async move { announced.announce().await });
    let intake = server.intake().clone();
    let layers = ServiceBuilder::new()
        .layer(from_fn(version))
        .layer(from_fn_with_state(server.auth().clone(), check))
        .layer(from_fn(read_only));
    let registry = Arc::new(Registry { share, intake });
    let router = Router::new()
        .route("/v2", any(answer::api))
        .route("/v2/", any(answer::api))
        .route("/v2/{*rest}", any(serve).with_state(registry))
        .layer(layers);
    server.mount_bare(router);
}

/// Middleware: refuses requests without a valid token, with a registry's error.
async fn check(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Fault> {
    if let Err(refusal) = auth.admit_request(&mut request, AuthScheme::BearerOrBasic) {
        // Clients make their first request without a token, so that is not logged.
        if refusal == AuthRefusal::WrongToken {
            tracing::warn!(?refusal, "refused a request");
        }
        return Err(Fault::Unauthorized);
    }
    Ok(next.run(request).await)
}

async fn serve(
    State(registry): State<Arc<Registry>>,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    request: Request,
) -> Result<Response, Fault> {
    let Path(path) = path.map_err(|_| Fault::Name)?;
    let query = request.uri().query().unwrap_or_default();
    let address = Address::read(&path, query)?;
    let owner = request.extensions().get::<Owner>().copied();
    let owner = owner.ok_or(Fault::Failed)?;
    registry.answer(address, owner, request.headers()).await
}

impl Registry {
    async fn answer(
        &self,
        address: Address,
        owner: Owner,
        headers: &HeaderMap,
    ) -> Result<Response, Fault> {
        // Held until the last byte is sent.
        let place = self.intake.download(owner).map_err(|_| Fault::Busy)?;
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

/// Middleware: answers 405 to all methods that would write.
async fn read_only(request: Request, next: Next) -> Result<Response, Fault> {
    let is_head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => return Err(Fault::ReadOnly),
    };
    let mut response = next.run(request).await;
    if is_head {
        // The headers keep the length that a GET would return.
        *response.body_mut() = Body::empty();
    }
    Ok(response)
}

/// Middleware: adds the header by which older clients recognise a registry.
async fn version(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await.into_response();
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert(API_VERSION, version);
    response
}
