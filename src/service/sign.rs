//! `sign`: the signature of an author.

use std::sync::Arc;

use crate::publish::{Formats, Signed, SigningKey, sign};
use crate::reference::Reference;

use super::{Error, Service};

impl Service {
    /// Signs what a reference stands for, and stores the signature in its
    /// registry or beside the file.
    ///
    /// # Errors
    ///
    /// When it is not there, or the signature cannot be stored.
    pub async fn sign(
        self: &Arc<Self>,
        reference: &Reference,
        key: SigningKey,
        formats: Formats,
    ) -> Result<Signed, Error> {
        let registries = self.installer.fetcher.registries();
        Ok(Box::pin(sign(registries, reference, key, formats)).await?)
    }
}
