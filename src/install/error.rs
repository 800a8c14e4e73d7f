use std::sync::Arc;

use crate::error::{Class, Diagnose, Diagnosis, Layered, Report};
use crate::fetch::FetchError;
use crate::policy::PolicyError;
use crate::reference::{ComponentId, InvalidComponentId};
use crate::runtime::CompileError;
use crate::schema::SchemaError;
use crate::store::StoreError;
use crate::verify::{TrustError, VerifyError};

/// The reason why a component could not be installed: the error of the stage that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Id(#[from] InvalidComponentId),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Trust(#[from] Box<TrustError>),
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
    /// Some of several components failed; the others were not changed either.
    #[error("{}", not_all(failed))]
    NotAll { failed: Vec<(ComponentId, Error)> },
    #[error("It is not the locked version")]
    LockDiffers { differences: Vec<String> },
    #[error("A worker thread panicked")]
    Worker(#[from] tokio::task::JoinError),
}

impl From<TrustError> for Error {
    fn from(error: TrustError) -> Self {
        Error::Trust(Box::new(error))
    }
}

impl Layered for Error {
    fn diagnosis(&self) -> Diagnosis<'_> {
        use Diagnosis::{Below, Own};
        match self {
            Error::Id(error) => Below(error),
            Error::Fetch(error) => Below(error),
            Error::Verify(error) => Below(error),
            Error::Trust(error) => Below(error.as_ref()),
            Error::Schema(error) => Below(error),
            Error::Policy(error) => Below(error),
            Error::Store(error) => Below(error),
            Error::Compile(error) => Below(error.as_ref()),
            Error::DigestRequired => Own("digest-required", Class::Verification),
            Error::NotAll { failed } => match failed.as_slice() {
                [(_, error)] => Below(error),
                [(_, first), ..] => Own("apply-failed", first.class()),
                [] => Own("apply-failed", Class::Other),
            },
            Error::LockDiffers { .. } => Own("lock-differs", Class::Verification),
            Error::Worker(_) => Own("internal", Class::Other),
        }
    }

    fn own_hint(&self) -> Option<String> {
        let hint = match self {
            Error::DigestRequired => {
                "give the digest with `--digest`, or as `#sha256=…` in the address"
            }
            Error::LockDiffers { .. } => {
                "if this change is wanted, take it into the lock with `wassette lock --upgrade`"
            }
            Error::NotAll { failed } if failed.len() > 1 => {
                "everything is as it was; `--continue-on-error` does what can be"
            }
            _ => return None,
        };
        Some(hint.into())
    }

    fn own_facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Error::LockDiffers { differences } => {
                let lines = differences.iter();
                lines.map(|line| ("differs", line.clone())).collect()
            }
            Error::NotAll { failed } => failed.iter().map(told).collect(),
            _ => Vec::new(),
        }
    }
}

fn not_all(failed: &[(ComponentId, Error)]) -> String {
    match failed {
        // The causes are part of the message, because the error of one entry among several has no
        // source.
        [(id, error)] => {
            let report = Report::new(error);
            let parts = std::iter::once(report.message).chain(report.causes);
            format!("`{id}`: {}", parts.collect::<Vec<_>>().join(": "))
        }
        failed => format!("{} components cannot be installed", failed.len()),
    }
}

/// One of several failures, with its causes and facts, as a fact.
fn told((id, error): &(ComponentId, Error)) -> (&'static str, String) {
    let report = Report::new(error);
    let facts = report
        .facts
        .iter()
        .map(|(label, fact)| format!("{label}: {fact}"));
    let parts = std::iter::once(format!("`{id}`: {}", report.message));
    let parts: Vec<String> = parts.chain(facts).chain(report.causes.clone()).collect();
    ("failed", parts.join("; "))
}
