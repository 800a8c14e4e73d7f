//! `verify`: who signed something.

use std::sync::Arc;

use crate::install::{SignatureReport, VerifyRequest};

use super::{Error, Service};

impl Service {
    /// Looks at the signatures of something, installing nothing.
    ///
    /// # Errors
    ///
    /// When it cannot be found, or a key, bundle or trust root cannot be read.
    /// What does not count is in the report.
    pub async fn verify(
        self: &Arc<Self>,
        request: VerifyRequest,
    ) -> Result<SignatureReport, Error> {
        Ok(Box::pin(self.installer.verify(request)).await?)
    }
}
