//! `verify`: reports the signers of an artifact or file.

use std::sync::Arc;

use crate::install::{SignatureReport, VerifyRequest};

use super::{Error, Service};

impl Service {
    /// Checks the signatures of an artifact or file without installing it.
    ///
    /// # Errors
    ///
    /// When it cannot be found, or a key, bundle or trust root cannot be read. A rejected
    /// signature is not an error; it is part of the report.
    pub async fn verify(
        self: &Arc<Self>,
        request: VerifyRequest,
    ) -> Result<SignatureReport, Error> {
        Ok(Box::pin(self.installer.verify(request)).await?)
    }
}
