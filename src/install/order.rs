//! What is to be installed together, and how.

use crate::config::TrustRule;
use crate::digest::Digest;
use crate::manifest::Retry;
use crate::manifest::lock::Locked;
use crate::policy::Policy;
use crate::reference::{ComponentId, Reference};
use crate::schema::rules::ToolRules;
use crate::store::{Metadata, Origin};
use crate::verify::Verification;

use super::content::{content_of, names_of};
use super::{Compile, Error, LoadRequest, PolicyChoice, SignerRequest};

/// One component that is to be installed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub id: ComponentId,
    pub reference: Reference,
    pub digest: Option<Digest>,
    /// All that it is to be granted; its grants stay as they are without.
    pub permissions: Option<Policy>,
    /// A rule about its signature, besides those of the configuration.
    pub trust: Option<TrustRule>,
    /// All rules of the manifest for its tools.
    pub tools: ToolRules,
    pub retry: Retry,
    /// What it must be, where that is known.
    pub locked: Option<Locked>,
}

/// What is to be installed, and how.
#[derive(Debug, Clone)]
pub struct Order {
    pub wanted: Vec<Wanted>,
    /// Where the manifest is; none for one that has no place.
    pub manifest: Option<String>,
    pub surplus: Surplus,
    pub check: Check,
    pub unreachable: Unreachable,
    pub failures: Failures,
    pub compile: Compile,
    /// Components that are staged at once.
    pub jobs: usize,
}

/// What becomes of components that the manifest does not want any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    Stays,
    /// Those that an earlier `apply` of the same manifest installed are
    /// removed.
    Removed,
}

/// What is taken for a sign that what is installed is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Stamp,
    /// All its bytes are read.
    Hash,
}

/// What counts when a source cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    Fails,
    /// What is installed from the same reference stands for it.
    TakesInstalled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failures {
    /// Nothing is done when anything cannot be.
    Stop,
    /// What can be done is done, all of it or nothing.
    Continue,
}

impl Wanted {
    pub(super) fn request(&self, order: &Order) -> LoadRequest {
        let locked = self.locked.as_ref().map(|locked| locked.digest);
        LoadRequest {
            reference: self.reference.clone(),
            name: Some(self.id.clone()),
            digest: self.digest,
            locked,
            verification: Verification::Required,
            compile: order.compile,
            policy: PolicyChoice::Leave,
            // Only a person accepts another signer.
            signers: SignerRequest {
                rule: self.trust.clone(),
                ..SignerRequest::default()
            },
            origin: Origin::Manifest,
            manifest: order.manifest.clone(),
        }
    }

    /// Whether what is installed is known by its digest to be what is wanted,
    /// so that its source need not be asked.
    pub(super) fn is_named_by(&self, installed: &Metadata) -> bool {
        let names = names_of(installed);
        let locked = self.locked.as_ref().map(|locked| locked.digest);
        let mut digests = self.digest.into_iter().chain(locked).peekable();
        installed.source == self.reference
            && !installed.trust.skipped
            && digests.peek().is_some()
            && digests.all(|digest| names.contains(&digest))
    }

    pub(super) fn hold_to_lock(&self, metadata: &Metadata) -> Result<(), Error> {
        let Some(locked) = &self.locked else {
            return Ok(());
        };
        let differences = locked.differences(&content_of(metadata, &self.tools));
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Error::LockDiffers { differences }),
        }
    }
}
