//! Reads blobs: configs and layers.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{Descriptor, Error, Item, Remote, expectation};
use crate::digest::Verifier;
use crate::net::{Response, Resume};

impl Remote<'_> {
    /// Reads a blob into memory and checks it. `what` names it in errors.
    pub async fn small_blob(&self, descriptor: &Descriptor, what: &str) -> Result<Bytes, Error> {
        self.whole(|| self.small_blob_once(descriptor, what)).await
    }

    async fn small_blob_once(&self, descriptor: &Descriptor, what: &str) -> Result<Bytes, Error> {
        let response = self.open_blob(descriptor, "a blob", None).await?;
        let encoded = response.encoded();
        let mut stream = response.body(&self.transfer.meter);
        let mut verifier = Verifier::new(expectation(descriptor));
        let mut body = Vec::new();
        while let Some(chunk) = stream.next().await? {
            // Fails at the first byte above the declared size, so memory is
            // bounded.
            if let Err(mismatch) = verifier.update(&chunk) {
                return Err(encoded.map_or_else(|| Error::mismatch(what, mismatch), Error::Net));
            }
            body.extend_from_slice(&chunk);
        }
        match verifier.finish() {
            Ok(_) => Ok(body.into()),
            Err(mismatch) => {
                Err(encoded.map_or_else(|| Error::mismatch(what, mismatch), Error::Net))
            }
        }
    }

    /// Requests a blob, or the rest of it with `resume`. Returns a 200, or with
    /// `resume` also a 206 or 416. `what` names the blob in errors.
    pub async fn open_blob(
        &self,
        descriptor: &Descriptor,
        what: &'static str,
        resume: Option<&Resume>,
    ) -> Result<Response, Error> {
        let digest = descriptor.digest.to_string();
        let answer = self.read(Method::GET, Item::Blob(&digest), resume).await?;
        match answer.response.status() {
            StatusCode::OK => Ok(answer.response),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if resume.is_some() => {
                Ok(answer.response)
            }
            _ => Err(answer.refused(what).await),
        }
    }
}
