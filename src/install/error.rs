use std::sync::Arc;

use crate::error::{Class, Diagnosis, Layered};
use crate::fetch::FetchError;
use crate::policy::PolicyError;
use crate::reference::InvalidComponentId;
use crate::runtime::CompileError;
use crate::schema::SchemaError;
use crate::store::StoreError;
use crate::verify::VerifyError;

/// Why a component could not be brought into its place: the error of the stage
/// that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Id(#[from] InvalidComponentId),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Compile(#[from] Arc<CompileError>),
    #[error(
        "Components from web servers are loaded by digest only (`require_digest` in config.toml)"
    )]
    DigestRequired,
    #[error("A worker thread panicked")]
    Worker(#[from] tokio::task::JoinError),
}

impl Layered for Error {
    fn diagnosis(&self) -> Diagnosis<'_> {
        use Diagnosis::{Below, Own};
        match self {
            Error::Id(error) => Below(error),
            Error::Fetch(error) => Below(error),
            Error::Verify(error) => Below(error),
            Error::Schema(error) => Below(error),
            Error::Policy(error) => Below(error),
            Error::Store(error) => Below(error),
            Error::Compile(error) => Below(error.as_ref()),
            Error::DigestRequired => Own("digest-required", Class::Verification),
            Error::Worker(_) => Own("internal", Class::Other),
        }
    }

    fn own_hint(&self) -> Option<String> {
        matches!(self, Error::DigestRequired)
            .then(|| "give the digest with `--digest`, or as `#sha256=…` in the address".into())
    }
}
