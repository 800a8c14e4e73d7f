//! Errors of signing.

use std::io;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::error::{Class, Diagnosis, Layered};
use crate::registry;

use super::InvalidSigningKey;

/// The reason why signing failed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("There is no `{reference}` to sign")]
    Absent { reference: String },
    #[error("The registry has other content for `{reference}`")]
    OtherDigest { reference: String, found: Digest },
    #[error("`{reference}` cannot be signed")]
    Place { reference: String },
    #[error("The signatures under the tag `{tag}` cannot be added to: {reason}")]
    Tag { tag: String, reason: String },
    #[error("Failed to {verb} `{}`", path.display())]
    File {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    Key(#[from] InvalidSigningKey),
    #[error("Failed to sign `{reference}`")]
    Registry {
        reference: String,
        /// The registry in the reference.
        registry: String,
        source: registry::Error,
    },
    #[error("A worker thread panicked")]
    Worker(#[from] tokio::task::JoinError),
}

impl Layered for SignError {
    fn diagnosis(&self) -> Diagnosis<'_> {
        use Diagnosis::{Below, Own};
        match self {
            SignError::Absent { .. } => Own("nothing-to-sign", Class::NotFound),
            SignError::OtherDigest { .. } => Own("digest-mismatch", Class::Verification),
            SignError::Place { .. } => Own("unsignable-source", Class::Usage),
            SignError::Tag { .. } => Own("unreadable-signatures", Class::Other),
            SignError::File { .. } => Own("unsignable-file", Class::Usage),
            SignError::Key(error) => Below(error),
            SignError::Registry { source, .. } => {
                let (code, class) = source.diagnosis("sign-failed");
                Own(code, class)
            }
            SignError::Worker(_) => Own("internal", Class::Other),
        }
    }

    fn own_hint(&self) -> Option<String> {
        match self {
            SignError::Place { .. } => {
                Some("artifacts of registries (`oci://`) and files can be signed".into())
            }
            SignError::Tag { .. } => {
                Some("leave out `--legacy`, or remove the tag if nobody needs it".into())
            }
            SignError::Registry {
                registry, source, ..
            } => source.hint(registry),
            _ => None,
        }
    }
}
