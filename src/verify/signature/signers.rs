//! Whose signatures count.

use std::path::PathBuf;

use crate::config::Identity;

use jiff::Timestamp;

use super::super::{Signer, SignerId};
use super::{PublicKey, Root};

/// Whose signature counts.
#[derive(Debug, Clone)]
pub enum Signers {
    /// Anyone whose certificate leads to the trust root; for a look, not for
    /// trust.
    Anyone,
    /// Any of these.
    Of {
        identities: Vec<Identity>,
        keys: Vec<PublicKey>,
    },
    /// The one that signed the version before.
    Same(SignerId),
}

/// A signature that is looked for.
#[derive(Debug, Clone)]
pub struct Demand {
    pub signers: Signers,
    /// A `trusted_root.json` in place of Sigstore's public one.
    pub trusted_root: Option<PathBuf>,
    /// When the version before was signed: what was signed earlier does not
    /// count, nor what has no proven time.
    pub not_before: Option<Timestamp>,
    pub wanted: Wanted,
}

/// A demand, with its trust root read.
#[derive(Clone)]
pub struct RootedDemand {
    pub demand: Demand,
    pub root: Root,
}

/// Who is believed: whose signatures count, and which authorities vouch for
/// certificates and times.
#[derive(Clone, Copy)]
pub struct Believed<'a> {
    pub signers: &'a Signers,
    pub root: &'a Root,
}

/// Who wants a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nobody: it is reported.
    Report,
    /// A rule, by its scope.
    Rule(String),
    /// The command.
    Command,
    /// What is installed was signed.
    Before,
}

impl Demand {
    /// Whether what this signer signed is not older than what it replaces.
    pub(super) fn is_recent(&self, signer: &Signer) -> bool {
        self.not_before
            .is_none_or(|before| signer.signed_at.is_some_and(|at| at >= before))
    }
}

impl Signers {
    /// Whether this signer, whose signature was verified, is one of them.
    pub fn include(&self, id: &SignerId) -> bool {
        match (self, id) {
            (Signers::Anyone, SignerId::Identity { .. }) => true,
            // A key says nothing by itself.
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

    /// The keys that are tried on what was signed with one.
    pub(super) fn keys(&self) -> Vec<PublicKey> {
        match self {
            Signers::Of { keys, .. } => keys.clone(),
            Signers::Same(SignerId::Key { public_key, .. }) => {
                PublicKey::recorded(public_key).into_iter().collect()
            }
            Signers::Anyone | Signers::Same(SignerId::Identity { .. }) => Vec::new(),
        }
    }

    /// Whether no signature at all would do.
    pub fn is_nobody(&self) -> bool {
        matches!(self, Signers::Of { identities, keys } if identities.is_empty() && keys.is_empty())
    }
}
