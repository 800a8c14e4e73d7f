//! The signers that a demand accepts.

use std::path::PathBuf;

use crate::config::Identity;

use jiff::Timestamp;

use super::super::{Signer, SignerId};
use super::{PublicKey, Root};

/// The accepted signers.
#[derive(Debug, Clone)]
pub enum Signers {
    /// Anyone with a certificate of the trust root; for reports only, not for trust.
    Anyone,
    /// Any of these identities and keys.
    Of {
        identities: Vec<Identity>,
        keys: Vec<PublicKey>,
    },
    /// The signer of the previous version.
    Same(SignerId),
}

/// A required or requested signature.
#[derive(Debug, Clone)]
pub struct Demand {
    pub signers: Signers,
    /// A `trusted_root.json` in place of Sigstore's public one.
    pub trusted_root: Option<PathBuf>,
    /// Signing time of the previous version: signatures with an earlier or unproven time are
    /// rejected.
    pub not_before: Option<Timestamp>,
    pub wanted: Wanted,
}

/// A demand whose trust root was read.
#[derive(Clone)]
pub struct RootedDemand {
    pub demand: Demand,
    pub root: Root,
}

/// The trusted signers, and the authorities trusted for certificates and times.
#[derive(Clone, Copy)]
pub struct Believed<'a> {
    pub signers: &'a Signers,
    pub root: &'a Root,
}

/// The origin of a demand for a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// No demand; the signature is only reported.
    Report,
    /// A rule, named by its scope.
    Rule(String),
    /// The command's options.
    Command,
    /// The installed version was signed, so its replacement must be.
    Before,
}

impl Demand {
    /// Whether this signer's signature is not older than that of the replaced version.
    pub(super) fn is_recent(&self, signer: &Signer) -> bool {
        self.not_before
            .is_none_or(|before| signer.signed_at.is_some_and(|at| at >= before))
    }
}

impl Signers {
    /// Whether this verified signer is accepted.
    pub fn include(&self, id: &SignerId) -> bool {
        match (self, id) {
            (Signers::Anyone, SignerId::Identity { .. }) => true,
            // A key does not identify anyone.
            (Signers::Anyone, SignerId::Key { .. }) => false,
            (Signers::Of { keys, .. }, SignerId::Key { .. }) => {
                keys.iter().any(|key| key.id() == *id)
            }
            (Signers::Of { identities, .. }, SignerId::Identity { subject, issuer }) => {
                let mut identities = identities.iter();
                identities.any(|one| one.subject.matches(subject) && one.issuer.matches(issuer))
            }
            (Signers::Same(same), id) => same == id,
        }
    }

    /// The keys to try on a signature that was made with a key.
    pub(super) fn keys(&self) -> Vec<PublicKey> {
        match self {
            Signers::Of { keys, .. } => keys.clone(),
            Signers::Same(SignerId::Key { public_key, .. }) => {
                PublicKey::recorded(public_key).into_iter().collect()
            }
            Signers::Anyone | Signers::Same(SignerId::Identity { .. }) => Vec::new(),
        }
    }

    /// Whether no signer is accepted.
    pub fn is_nobody(&self) -> bool {
        matches!(self, Signers::Of { identities, keys } if identities.is_empty() && keys.is_empty())
    }
}
