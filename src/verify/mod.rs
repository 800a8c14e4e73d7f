//! Verification of fetched components. [`verify()`] is the only constructor of
//! [`Verified`].
//!
//! `fetch` has already checked each blob against the digest and size in its
//! descriptor, which cannot be disabled. This module checks the parts of an
//! artifact against each other, and against the digest that the operator
//! requires.

mod evidence;
pub(crate) mod formats;
mod rules;
mod signature;
#[cfg(test)]
mod tests;
mod trust;

pub use evidence::Evidence;
pub use rules::{Expectation, TrustRules};
pub use signature::{
    Answer, Attempt, Believed, Candidate, Demand, InvalidKey, InvalidRoot, Look, Material, Proof,
    PublicKey, Rejected, Root, RootedDemand, Signers, Subject, TrustError, Wanted,
};
pub(crate) use trust::pem;
pub use trust::{Signature, Signer, SignerId, Trust};

use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::fetch::{Artifact, Fetched, Identity};

/// Whether a component is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    #[default]
    Required,
    /// `--skip-verification`. Recorded with the component as
    /// [`Trust::skipped`].
    Skipped,
}

/// What the operator requires of a component.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requirements {
    /// The required digest: of the OCI manifest, of the image index that leads
    /// to it, or of the component's bytes.
    pub digest: Option<Digest>,
    pub verification: Verification,
}

impl Requirements {
    /// Whether a component that was verified before still meets the
    /// requirements. `known_as` are the digests of the component, and
    /// `reference` is the digest in the reference that is requested now.
    pub fn met_by(&self, trust: &Trust, known_as: &[Digest], reference: Option<Digest>) -> bool {
        let mut pins = self.digest.into_iter().chain(reference);
        let pinned = pins.all(|pin| trust.pinned && known_as.contains(&pin));
        pinned && (!trust.skipped || self.verification == Verification::Skipped)
    }
}

/// A fetched component that passed verification, or whose check was skipped on request.
#[derive(Debug)]
pub struct Verified {
    fetched: Fetched,
    trust: Trust,
}

impl Verified {
    pub fn fetched(&self) -> &Fetched {
        &self.fetched
    }

    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    pub fn into_parts(self) -> (Fetched, Trust) {
        (self.fetched, self.trust)
    }
}

/// Checks a fetched component against the requirements. `signature` is the signature found for the
/// fetched digest.
///
/// # Errors
///
/// A [`VerifyError`]; the fetched files stay in staging for their owner to
/// remove.
pub fn verify(
    fetched: Fetched,
    requirements: &Requirements,
    signature: Signature,
) -> Result<Verified, VerifyError> {
    let mut trust = match requirements.verification {
        Verification::Skipped => Trust {
            skipped: true,
            ..Trust::default()
        },
        Verification::Required => check(&fetched, requirements.digest)?,
    };
    trust.signature = signature;
    Ok(Verified { fetched, trust })
}

fn check(fetched: &Fetched, required: Option<Digest>) -> Result<Trust, VerifyError> {
    if let Some(artifact) = &fetched.artifact {
        check_layers(fetched, artifact)?;
    }
    match required {
        Some(required) if !goes_by(fetched, required) => Err(VerifyError::Digest {
            reference: fetched.reference.to_string(),
            required,
            manifest: fetched.artifact.as_ref().map(|a| a.manifest_digest),
            component: fetched.component.digest,
        }),
        // A digest in the reference counts as given by the operator.
        required => Ok(Trust {
            pinned: required.is_some() || fetched.reference.is_pinned(),
            ..Trust::default()
        }),
    }
}

/// Whether the digest is that of the component, the OCI manifest or the image index.
fn goes_by(fetched: &Fetched, digest: Digest) -> bool {
    let resolved = match &fetched.identity {
        Identity::Oci { manifest_digest } => Some(*manifest_digest),
        _ => None,
    };
    let manifest = fetched.artifact.as_ref().map(|a| a.manifest_digest);
    [Some(fetched.component.digest), manifest, resolved].contains(&Some(digest))
}

fn check_layers(fetched: &Fetched, artifact: &Artifact) -> Result<(), VerifyError> {
    match &artifact.config {
        Some(config) if config.layer_digests != artifact.layer_digests => {
            Err(VerifyError::Layers {
                reference: fetched.reference.to_string(),
                config: list(&config.layer_digests),
                manifest: list(&artifact.layer_digests),
            })
        }
        _ => Ok(()),
    }
}

fn list(digests: &[Digest]) -> String {
    const SHOWN: usize = 4;
    let mut texts: Vec<String> = digests.iter().take(SHOWN).map(Digest::short).collect();
    if digests.len() > SHOWN {
        texts.push(format!("and {} more", digests.len() - SHOWN));
    }
    if texts.is_empty() {
        return "none".to_owned();
    }
    texts.join(", ")
}

/// A component that failed verification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    #[error("`{reference}` does not have the required digest")]
    Digest {
        reference: String,
        required: Digest,
        manifest: Option<Digest>,
        component: Digest,
    },
    #[error("The config of `{reference}` lists other layers than its OCI manifest")]
    Layers {
        reference: String,
        config: String,
        manifest: String,
    },
}

impl Diagnose for VerifyError {
    fn code(&self) -> &'static str {
        match self {
            VerifyError::Digest { .. } => "digest-mismatch",
            VerifyError::Layers { .. } => "layer-mismatch",
        }
    }

    fn class(&self) -> Class {
        Class::Verification
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            VerifyError::Digest { .. } => {
                "nothing was installed; if the component was meant to change, \
                 give the new digest with `--digest`"
            }
            VerifyError::Layers { .. } => {
                "nothing was installed; the artifact was put together wrongly or tampered with"
            }
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            VerifyError::Digest {
                required,
                manifest,
                component,
                ..
            } => {
                let mut facts = vec![("required", required.to_string())];
                facts.extend(manifest.map(|digest| ("manifest", digest.to_string())));
                facts.push(("component", component.to_string()));
                facts
            }
            VerifyError::Layers {
                config, manifest, ..
            } => vec![("config", config.clone()), ("manifest", manifest.clone())],
        }
    }
}
