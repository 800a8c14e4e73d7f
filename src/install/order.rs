//! An order: the components to install together, and how.

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

/// One component to install.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub id: ComponentId,
    pub reference: Reference,
    /// The name of the package that the reference was found by.
    pub package: Option<Reference>,
    pub digest: Option<Digest>,
    /// All permissions to grant; if absent, the grants do not change.
    pub permissions: Option<Policy>,
    /// A rule about its signature, in addition to those of the configuration.
    pub trust: Option<TrustRule>,
    /// All of the manifest's rules for its tools.
    pub tools: ToolRules,
    pub retry: Retry,
    /// The locked content that it must have, if there is a lock.
    pub locked: Option<Locked>,
}

/// The components to install, and how.
#[derive(Debug, Clone)]
pub struct Order {
    pub wanted: Vec<Wanted>,
    /// The location of the manifest; `None` if it has none.
    pub manifest: Option<String>,
    pub surplus: Surplus,
    pub check: Check,
    pub unreachable: Unreachable,
    pub failures: Failures,
    pub compile: Compile,
    /// Most components staged at once.
    pub jobs: usize,
}

/// How to handle components that the manifest does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    Stays,
    /// Removes those that an earlier `apply` of the same manifest installed.
    Removed,
}

/// How to check that an installed component is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Stamp,
    /// Hashes all its bytes.
    Hash,
}

/// How to handle a source that cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    Fails,
    /// Uses the component installed from the same reference.
    TakesInstalled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failures {
    /// Makes no change if any component fails.
    Stop,
    /// Makes the changes of the components that do not fail, all of these or none.
    Continue,
}

impl Wanted {
    pub(super) fn request(&self, order: &Order) -> LoadRequest {
        let locked = self.locked.as_ref().map(|locked| locked.digest);
        LoadRequest {
            reference: self.reference.clone(),
            package: self.package.clone(),
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

    /// Whether the digest proves that the installed component is the wanted one, so that its
    /// source need not be asked.
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
