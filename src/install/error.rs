use std::sync::Arc;

use crate::error::{Class, Diagnose};
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

/// How one kind of error is known: its code and class, or the error of the
/// layer below, which knows both.
enum Kind<'a> {
    Own(&'static str, Class),
    Below(&'a dyn Diagnose),
}

impl Error {
    fn class_and_code(&self) -> Kind<'_> {
        match self {
            Error::Id(error) => Kind::Below(error),
            Error::Fetch(error) => Kind::Below(error),
            Error::Verify(error) => Kind::Below(error),
            Error::Schema(error) => Kind::Below(error),
            Error::Policy(error) => Kind::Below(error),
            Error::Store(error) => Kind::Below(error),
            Error::Compile(error) => Kind::Below(error.as_ref()),
            Error::DigestRequired => Kind::Own("digest-required", Class::Verification),
            Error::Worker(_) => Kind::Own("internal", Class::Other),
        }
    }
}

impl Diagnose for Error {
    fn code(&self) -> &'static str {
        match self.class_and_code() {
            Kind::Own(code, _) => code,
            Kind::Below(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self.class_and_code() {
            Kind::Own(_, class) => class,
            Kind::Below(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::DigestRequired => {
                Some("give the digest with `--digest`, or as `#sha256=…` in the address".into())
            }
            _ => match self.class_and_code() {
                Kind::Own(..) => None,
                Kind::Below(error) => error.hint(),
            },
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self.class_and_code() {
            Kind::Own(..) => Vec::new(),
            Kind::Below(error) => error.facts(),
        }
    }
}
