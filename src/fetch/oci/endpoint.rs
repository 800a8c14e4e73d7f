//! Where the repository of a reference is reached.

use url::Url;

use crate::fetch::http::{Http, HttpError};
use crate::reference::OciReference;

/// A repository's base address, `https://host/v2/repository/`.
pub(super) struct Endpoint {
    base: Url,
    key: String,
    repository: String,
}

impl Endpoint {
    pub fn of(reference: &OciReference, http: &Http) -> Result<Self, HttpError> {
        let plain = http.allows_plain(reference.host(), reference.registry());
        let scheme = if plain { "http" } else { "https" };
        let (registry, repository) = match (reference.registry(), reference.repository()) {
            // Docker Hub answers under another name, and files the names
            // without an owner under `library`.
            ("docker.io", name) if !name.contains('/') => {
                ("registry-1.docker.io", format!("library/{name}"))
            }
            ("docker.io", name) => ("registry-1.docker.io", name.to_owned()),
            (registry, name) => (registry, name.to_owned()),
        };
        let text = format!("{scheme}://{registry}/v2/{repository}/");
        let base = Url::parse(&text).map_err(|error| HttpError::Unreachable {
            host: registry.to_owned(),
            source: error.into(),
        })?;
        Ok(Endpoint {
            key: format!("{registry}/{repository}"),
            base,
            repository,
        })
    }

    /// `kind` is `manifests` or `blobs`; `name` a tag or a digest.
    pub fn url(&self, kind: &str, name: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{kind}/{name}", self.base.path()));
        url
    }

    /// Names the repository among all of this process.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    pub fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Whether `url` belongs to the registry itself.
    pub fn owns(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    pub fn pull_scope(&self) -> String {
        format!("repository:{}:pull", self.repository)
    }
}
