//! What proves a signature later, and offline.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

use super::Signer;
use super::signature::{Believed, Material, Rejected, Root, Signers, Subject};

/// Raised when a reader of the previous version would misread it.
const FORMAT: u32 = 1;

/// What proved a component's signature when it was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub format: u32,
    /// What was signed: the OCI manifest or image index, or a file.
    pub digest: Digest,
    pub signer: Signer,
    /// The scope of the rule that required the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The trust root, where it was not Sigstore's public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root: Option<PathBuf>,
    pub material: Material,
}

impl Evidence {
    /// Of a signature that was verified just now.
    pub(crate) fn new(digest: Digest, signer: Signer, material: Material) -> Self {
        Evidence {
            format: FORMAT,
            digest,
            signer,
            rule: None,
            trusted_root: None,
            material,
        }
    }

    /// Verifies the signature again; `signed` are the signed bytes, where they
    /// are at hand.
    ///
    /// # Errors
    ///
    /// Why it does not hold any more.
    pub fn prove(&self, signed: Option<&[u8]>, root: &Root) -> Result<(), Rejected> {
        let subject = Subject {
            digest: self.digest,
            bytes: signed,
        };
        if signed.is_some_and(|bytes| Digest::of(bytes) != self.digest) {
            return Err(Rejected::OtherDigest);
        }
        let signers = Signers::Same(self.signer.id.clone());
        let believed = Believed {
            signers: &signers,
            root,
        };
        let signer = self.material.check(subject, believed)?;
        match signer == self.signer {
            true => Ok(()),
            false => Err(Rejected::Invalid(
                "it does not prove the time or place in the log that are recorded".into(),
            )),
        }
    }
}
