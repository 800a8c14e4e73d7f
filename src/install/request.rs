//! What is asked of a load, and whether what is installed is it already.

use crate::config::TrustRule;
use crate::digest::Digest;
use crate::fetch::{Fetched, Identity};
use crate::policy::Policy;
use crate::reference::{ComponentId, Reference};
use crate::store::{Digests, Installed, Origin};
use crate::verify::{Expectation, Requirements, Verification};

/// What to load, and under which conditions.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    pub reference: Reference,
    /// The id to install under; otherwise made from the reference.
    pub name: Option<ComponentId>,
    /// The OCI manifest or the component must have this digest.
    pub digest: Option<Digest>,
    /// What the reference stands for, where that is known: the source is asked
    /// for this content only, whatever its tag names by now.
    pub locked: Option<Digest>,
    pub verification: Verification,
    pub compile: Compile,
    pub policy: PolicyChoice,
    pub signers: SignerRequest,
    /// By what means what the load grants is granted.
    pub origin: Origin,
    /// The manifest that wants it to be installed.
    pub manifest: Option<String>,
}

/// What is asked of a component's signature, beside what rules ask.
#[derive(Debug, Clone, Default)]
pub struct SignerRequest {
    pub expected: Option<Expectation>,
    /// A rule about this component alone, such as that of a manifest.
    pub rule: Option<TrustRule>,
    pub change: SignerChange,
}

/// Whether what was signed by one may be replaced by what is signed by
/// another, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignerChange {
    #[default]
    Refuse,
    /// `--accept-signer`.
    Accept,
}

/// When native code is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compile {
    /// Tools are offered at once; code follows.
    Background,
    /// The load ends when the tools can be called; what is missing then is made
    /// by the next server.
    Wait,
    /// The load ends when optimised code was made anew.
    Force,
}

/// What becomes of what a component asks to be allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PolicyChoice {
    /// As the configuration says: the user is asked, unless it says otherwise.
    #[default]
    Bundled,
    /// Nothing, whatever the configuration says: grants stay as they are.
    Leave,
    /// It is granted.
    GrantRequested,
    /// This is granted, whatever it asks for, in place of all other grants.
    Given(Box<Policy>),
}

impl LoadRequest {
    pub(super) fn requirements(&self) -> Requirements {
        Requirements {
            digest: self.digest,
            verification: self.verification,
        }
    }

    /// Whether the source still has what is installed, checked as asked.
    pub(super) fn satisfied_by(&self, installed: &Installed, identity: &Identity) -> bool {
        installed.metadata.identity.same_content(identity) && self.accepts(installed)
    }

    /// Without a network no source can be asked, and what is installed stands
    /// for it. Sources on this machine are asked as always.
    pub(super) fn satisfied_offline(&self, installed: &Installed) -> bool {
        let remote = matches!(self.reference, Reference::Oci(_) | Reference::Https(_));
        remote && installed.metadata.source == self.reference && self.accepts(installed)
    }

    /// Whether the source's bytes turned out to be those that are installed.
    pub(super) fn same(&self, installed: &Installed, fetched: &Fetched) -> bool {
        let digests = &installed.metadata.digests;
        let manifest = fetched.artifact.as_ref().map(|a| a.manifest_digest);
        digests.component == fetched.component.digest
            && digests.manifest == manifest
            && self.accepts(installed)
    }

    fn accepts(&self, installed: &Installed) -> bool {
        let metadata = &installed.metadata;
        let Digests {
            component,
            manifest,
        } = &metadata.digests;
        let known_as: Vec<Digest> = manifest.iter().chain([component]).copied().collect();
        let reference = self.reference.content_digest();
        let requirements = self.requirements();
        requirements.met_by(&metadata.trust, &known_as, reference)
    }
}
