//! The proof of a component's signature, which can be verified again later and offline.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

use super::Signer;
use super::signature::{Believed, Material, Rejected, Root, Signers, Subject};

/// Format version. It is raised when a reader of the previous version would misread the file.
const FORMAT: u32 = 1;

/// Proof of a component's signature, taken when it was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub format: u32,
    /// Digest of what was signed: an OCI manifest, an image index or a file.
    pub digest: Digest,
    pub signer: Signer,
    /// The scope of the rule that required the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The trust root, if it is not Sigstore's public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root: Option<PathBuf>,
    pub material: Material,
}

impl Evidence {
    /// Evidence of a signature that was just verified.
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

    /// Verifies the signature again. `signed` are the signed bytes, if available.
    ///
    /// # Errors
    ///
    /// The reason why the signature is no longer valid.
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
