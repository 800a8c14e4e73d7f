//! `sign`: signs an artifact or file for its author.

use std::sync::Arc;

use crate::publish::{Formats, Signed, SigningKey, sign};
use crate::reference::Reference;

use super::{Error, Service};

impl Service {
    /// Signs the content that a reference names, and stores the signature in its registry or
    /// beside the file.
    ///
    /// # Errors
    ///
    /// When the content is missing, or the signature cannot be stored.
    pub async fn sign(
        self: &Arc<Self>,
        reference: &Reference,
        key: SigningKey,
        formats: Formats,
    ) -> Result<Signed, Error> {
        let fetcher = &self.installer.fetcher;
        let located = fetcher.locate(reference).await;
        let reference = located.map_err(crate::install::Error::from)?;
        Ok(Box::pin(sign(fetcher.registries(), &reference, key, formats)).await?)
    }
}
