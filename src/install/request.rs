//! The request of a load, and the check whether the installed component already meets it.

use std::borrow::Cow;

use crate::config::TrustRule;
use crate::digest::Digest;
use crate::fetch::{Fetched, Identity};
use crate::policy::Policy;
use crate::reference::{ComponentId, InvalidComponentId, Reference};
use crate::store::{Digests, Installed, Origin};
use crate::verify::{Expectation, Requirements, Verification};

/// The component to load, and the conditions.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    pub reference: Reference,
    /// The name of the package that the reference was found by.
    pub package: Option<Reference>,
    /// The id to install under; otherwise made from the reference.
    pub name: Option<ComponentId>,
    /// The OCI manifest or the component must have this digest.
    pub digest: Option<Digest>,
    /// The digest that the reference resolved to, if known: only this content is requested, even
    /// if the tag has moved.
    pub locked: Option<Digest>,
    pub verification: Verification,
    pub compile: Compile,
    pub policy: PolicyChoice,
    pub signers: SignerRequest,
    /// The origin to record for the grants of this load.
    pub origin: Origin,
    /// The manifest that lists the component.
    pub manifest: Option<String>,
}

/// The demands on a component's signature, in addition to those of the rules.
#[derive(Debug, Clone, Default)]
pub struct SignerRequest {
    pub expected: Option<Expectation>,
    /// A rule for this component only, such as that of a manifest.
    pub rule: Option<TrustRule>,
    pub change: SignerChange,
}

/// Whether a signed version may be replaced by one that has another signer or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignerChange {
    #[default]
    Refuse,
    /// `--accept-signer`.
    Accept,
}

/// When to compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compile {
    /// Tools are offered at once, and the code is compiled in the background.
    Background,
    /// The load ends when the tools can be called; the next server compiles the optimised code.
    Wait,
    /// The load compiles optimised code anew and ends when it is ready.
    Force,
}

/// How to handle the permissions that a component requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PolicyChoice {
    /// As the configuration says; by default, ask the user.
    #[default]
    Bundled,
    /// Grants nothing, whatever the configuration says; existing grants do not change.
    Leave,
    /// Grants the request.
    GrantRequested,
    /// Grants this policy instead of the request, replacing all earlier grants.
    Given(Box<Policy>),
}

impl LoadRequest {
    /// The id to install under.
    ///
    /// # Errors
    ///
    /// When none is given and the reference has no letter or digit to make one of.
    pub fn id(&self) -> Result<ComponentId, InvalidComponentId> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => self.reference.default_id(),
        }
    }

    /// The request for the artifact that its package was found at.
    pub(super) fn found_at(&self, found: &Reference) -> Cow<'_, Self> {
        match &self.reference {
            package @ Reference::Package(_) => Cow::Owned(LoadRequest {
                reference: found.clone(),
                package: Some(package.clone()),
                ..self.clone()
            }),
            _ => Cow::Borrowed(self),
        }
    }

    pub(super) fn requirements(&self) -> Requirements {
        Requirements {
            digest: self.digest,
            verification: self.verification,
        }
    }

    /// Whether the source still has the installed version, checked as the request says.
    pub(super) fn satisfied_by(&self, installed: &Installed, identity: &Identity) -> bool {
        installed.metadata.identity.same_content(identity) && self.accepts(installed)
    }

    /// Without a network, the installed component counts as current. Sources on this machine are
    /// still read.
    pub(super) fn satisfied_offline(&self, installed: &Installed) -> bool {
        let remote = matches!(self.reference, Reference::Oci(_) | Reference::Https(_));
        remote && installed.metadata.source == self.reference && self.accepts(installed)
    }

    /// Whether the fetched bytes are those of the installed component.
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
