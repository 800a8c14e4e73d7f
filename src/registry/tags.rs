//! The tags of a repository, as [registries list them][api].
//!
//! [api]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags

use http::{Method, StatusCode};
use serde::Deserialize;

use super::documents::MAX_MANIFEST_BYTES;
use super::referrers::next_page;
use super::scope::Actions;
use super::{Error, Remote};
use crate::net::{Request, Response};
use crate::reference::is_tag;

/// Tags requested per page.
const PAGE: &str = "1000";
/// Most pages that are read.
const MAX_PAGES: usize = 10;
/// Most tags that are read.
const MAX_TAGS: usize = 10_000;
/// Name of the list in messages.
const LIST: &str = "the list of tags";

#[derive(Deserialize)]
struct Page {
    /// Some registries send null for an empty list.
    tags: Option<Vec<String>>,
}

impl Remote<'_> {
    /// The tags of the repository in the registry's order, at most 10,000. Invalid tags are left
    /// out.
    ///
    /// # Errors
    ///
    /// When the registry does not list them, or sends something other than a list.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let mut url = self.endpoint.at("tags/list");
        url.query_pairs_mut().append_pair("n", PAGE);
        let mut tags = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = |authorization| Request {
                authorization,
                accept: Some("application/json"),
                access: self.endpoint.access().clone(),
                retry: self.endpoint.retry(),
                ..Request::new(Method::GET, url.clone())
            };
            let auth = &self.client.auth;
            let answer = auth.send(*self, Actions::Pull, request).await?;
            if answer.response.status() != StatusCode::OK {
                return Err(answer.refused(LIST).await);
            }
            let next = next_page(&answer.response);
            let page = self.read_tags(answer.response).await?;
            tags.extend(page.into_iter().filter(|tag| is_tag(tag)));
            match next {
                Some(next) if tags.len() < MAX_TAGS && self.endpoint.owns(&next) => url = next,
                _ => break,
            }
        }
        tags.truncate(MAX_TAGS);
        Ok(tags)
    }

    async fn read_tags(&self, response: Response) -> Result<Vec<String>, Error> {
        let meter = &self.transfer.meter;
        let bytes = response.bytes(MAX_MANIFEST_BYTES, LIST, meter).await?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|source| Error::Tags {
            host: self.endpoint.authority().to_owned(),
            source,
        })?;
        Ok(page.tags.unwrap_or_default())
    }
}
