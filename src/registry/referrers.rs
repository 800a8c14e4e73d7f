//! Referrers of an artifact: signatures, SBOMs and other manifests that name it
//! as their subject.
//!
//! Registries list them in the [referrers API][api]. For registries without it,
//! the client that pushes a referrer maintains a list under the [fallback
//! tag][tag].
//!
//! [api]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
//! [tag]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::documents::MAX_MANIFEST_BYTES;
use super::media_type::INDEX;
use super::scope::Actions;
use super::writer::Writer;
use super::{Error, InvalidManifest, Item, Remote};
use crate::digest::Digest;
use crate::net::{Request, Response};

/// Most pages of a list that are read.
const MAX_PAGES: usize = 32;
/// Most referrers that are read.
const MAX_REFERRERS: usize = 4096;

/// A manifest that names another as its subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    pub media_type: String,
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image index that lists referrers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    manifests: Vec<Referrer>,
}

impl Writer<'_> {
    /// The referrers of `subject`.
    ///
    /// # Errors
    ///
    /// If the request fails or the registry refuses it.
    pub async fn referrers(&self, subject: Digest) -> Result<Vec<Referrer>, Error> {
        self.remote().referrers(subject).await
    }

    /// Adds a referrer to the list under the fallback tag of its subject.
    pub(super) async fn add_to_fallback(
        &self,
        subject: Digest,
        referrer: Referrer,
    ) -> Result<(), Error> {
        let mut manifests = self.remote().fallback(subject).await?;
        if manifests.iter().any(|one| one.digest == referrer.digest) {
            return Ok(());
        }
        manifests.push(referrer);
        let listing = Listing {
            schema_version: 2,
            media_type: Some(INDEX.to_owned()),
            manifests,
        };
        let bytes = serde_json::to_vec(&listing).map_err(InvalidManifest::Json)?;
        let tag = fallback_tag(subject);
        self.put_document(&Bytes::from(bytes), INDEX, &tag).await?;
        Ok(())
    }
}

impl Remote<'_> {
    /// The referrers of `subject`, from the referrers API or the fallback tag.
    pub async fn referrers(&self, subject: Digest) -> Result<Vec<Referrer>, Error> {
        let mut url = self.endpoint.at(&format!("referrers/{subject}"));
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = |authorization| Request {
                authorization,
                accept: Some(INDEX),
                access: self.endpoint.access().clone(),
                retry: self.endpoint.retry(),
                ..Request::new(Method::GET, url.clone())
            };
            let auth = &self.client.auth;
            let answer = auth.send(*self, Actions::Pull, request).await?;
            match answer.response.status() {
                StatusCode::OK => {}
                // It does not support the referrers API.
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if found.is_empty() => {
                    return self.fallback(subject).await;
                }
                _ => return Err(answer.refused("the list of referrers").await),
            }
            let next = next_page(&answer.response);
            for referrer in self.read_listing(answer.response).await? {
                // Some registries list a referrer twice if it was pushed twice.
                if !found.contains(&referrer) {
                    found.push(referrer);
                }
            }
            match next {
                Some(next) if found.len() < MAX_REFERRERS && self.endpoint.owns(&next) => {
                    url = next;
                }
                _ => break,
            }
        }
        found.truncate(MAX_REFERRERS);
        Ok(found)
    }

    /// The list under the fallback tag; empty if the tag does not exist.
    async fn fallback(&self, subject: Digest) -> Result<Vec<Referrer>, Error> {
        let tag = fallback_tag(subject);
        let answer = self.read(Method::GET, Item::Manifest(&tag), None).await?;
        match answer.response.status() {
            StatusCode::OK => self.read_listing(answer.response).await,
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            _ => Err(answer.refused("the list of referrers").await),
        }
    }

    async fn read_listing(&self, response: Response) -> Result<Vec<Referrer>, Error> {
        let meter = &self.transfer.meter;
        let bytes = response
            .bytes(MAX_MANIFEST_BYTES, "the list of referrers", meter)
            .await?;
        let listing: Listing = serde_json::from_slice(&bytes).map_err(InvalidManifest::Json)?;
        match listing.schema_version {
            2 => Ok(listing.manifests),
            other => Err(InvalidManifest::Version(other).into()),
        }
    }
}

/// `sha256-<64 digits>`.
fn fallback_tag(subject: Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// The next page of a list: `Link: </v2/…>; rel="next"`.
pub(super) fn next_page(response: &Response) -> Option<Url> {
    let link = response.header(header::LINK)?;
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = rest.split(';').any(|part| {
        let part = part.trim();
        part.eq_ignore_ascii_case("rel=\"next\"") || part.eq_ignore_ascii_case("rel=next")
    });
    is_next.then(|| response.url().join(target).ok())?
}
