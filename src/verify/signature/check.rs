//! Checks one signature against one digest and the accepted signers.

use sigstore_verify::types::{
    Artifact, Bundle, HashAlgorithm, Sha256Hash, SignatureContent, Statement,
    VerificationMaterialContent,
};
use sigstore_verify::{
    Error as SigstoreError, PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult,
};

use jiff::Timestamp;

use crate::digest::Digest;

use super::super::formats::IN_TOTO;
use super::super::{Signer, SignerId};
use super::{Believed, Material, Older, PublicKey, Root, legacy};

/// The content that a signature must be for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Digest of the OCI manifest or image index, or of a file.
    pub digest: Digest,
    /// The signed bytes, if available.
    pub bytes: Option<&'a [u8]>,
}

/// The reason why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("it is for another digest")]
    OtherDigest,
    #[error("it was made by {0}, who is not trusted here")]
    OtherSigner(SignerId),
    #[error("it was made with a key that is not trusted here")]
    OtherKey,
    #[error("it is not valid: {0}")]
    Invalid(String),
    #[error("{}", older(.0))]
    Older(Older),
    /// The key's algorithm signs the bytes, not their digest.
    #[error("it can only be verified with the signed bytes")]
    NeedsBytes,
}

fn older(Older { signed_at }: &Older) -> String {
    match signed_at {
        Some(at) => format!("it was made at {at}, before that of the version it would replace"),
        None => "it has no proven time, and that of the version it would replace has one".into(),
    }
}

impl Material {
    /// Checks that the signature is for the subject and by one of the signers, and returns that
    /// signer. Uses the processor, but does not block.
    ///
    /// # Errors
    ///
    /// The reason why the signature is not accepted.
    pub fn check(&self, subject: Subject<'_>, believed: Believed<'_>) -> Result<Signer, Rejected> {
        match self {
            Material::Bundle { bundle } => check_bundle(&parse(bundle)?, subject, believed),
            Material::SimpleSigning {
                payload,
                annotations,
            } => legacy::check(payload, annotations, subject.digest, believed),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Bundle, Rejected> {
    Bundle::from_json(text).map_err(|error| Rejected::Unreadable(error.to_string()))
}

pub(super) fn check_bundle(
    bundle: &Bundle,
    subject: Subject<'_>,
    believed: Believed<'_>,
) -> Result<Signer, Rejected> {
    match &bundle.verification_material.content {
        VerificationMaterialContent::PublicKey(_) => {
            let keys = believed.signers.keys();
            let mut rejected = Rejected::OtherKey;
            for key in &keys {
                match check_key(bundle, subject, key, believed.root) {
                    Ok(signer) => return Ok(signer),
                    // Of several keys, at most one made the signature.
                    Err(error) if keys.len() == 1 => rejected = error,
                    Err(error @ (Rejected::OtherDigest | Rejected::NeedsBytes)) => rejected = error,
                    Err(_) => {}
                }
            }
            Err(rejected)
        }
        _ => check_certificate(bundle, subject, believed),
    }
}

fn check_certificate(
    bundle: &Bundle,
    subject: Subject<'_>,
    Believed { signers, root }: Believed<'_>,
) -> Result<Signer, Rejected> {
    // The library checks the chain, the validity at the time of signing, the SCT, the log entry
    // and the signature. The identity is checked below, against the signers.
    let policy = VerificationPolicy::any_identity();
    let result = root.0.verify(artifact(subject), bundle, &policy)?;
    let proven = result.certificate_verified() && result.sct_verified() && result.tlog_verified();
    let (Some(subject), Some(issuer), true) = (result.identity(), result.issuer(), proven) else {
        return Err(Rejected::Invalid(
            "its certificate names no subject or no issuer".into(),
        ));
    };
    let id = SignerId::Identity {
        subject: subject.as_str().to_owned(),
        issuer: issuer.to_owned(),
    };
    match signers.include(&id) {
        true => Ok(signer(id, bundle, &result)),
        false => Err(Rejected::OtherSigner(id)),
    }
}

fn check_key(
    bundle: &Bundle,
    subject: Subject<'_>,
    key: &PublicKey,
    root: &Root,
) -> Result<Signer, Rejected> {
    let material = &bundle.verification_material;
    let timestamps = &material.timestamp_verification_data.rfc3161_timestamps;
    if material.tlog_entries.is_empty() && timestamps.is_empty() {
        // Only the key is trusted, so a log entry is not required.
        check_bare(&bundle.content, subject, key)?;
        return Ok(Signer {
            id: key.id(),
            signed_at: None,
            log_index: None,
        });
    }
    let policy = PublicKeyVerificationPolicy::new(key.spki.clone());
    let policy = match material.tlog_entries.is_empty() {
        true => policy.skip_tlog_unsafe(),
        // A log entry or timestamp that is present must be valid.
        false => policy,
    };
    let result = root.0.verify(artifact(subject), bundle, &policy)?;
    Ok(signer(key.id(), bundle, &result))
}

/// Checks a signature that has neither a log entry nor a timestamp.
fn check_bare(
    content: &SignatureContent,
    subject: Subject<'_>,
    key: &PublicKey,
) -> Result<(), Rejected> {
    match content {
        SignatureContent::DsseEnvelope(envelope) => {
            let signature = envelope.signature.sig.as_bytes();
            if !key.made(signature, &envelope.pae()) {
                return Err(Rejected::OtherKey);
            }
            if envelope.payload_type != IN_TOTO {
                return Err(Rejected::Invalid("it signs no in-toto statement".into()));
            }
            let statement: Statement = serde_json::from_slice(envelope.payload.as_bytes())
                .map_err(|error| Rejected::Unreadable(error.to_string()))?;
            match statement.matches_sha256(&hash(subject.digest)) {
                true => Ok(()),
                false => Err(Rejected::OtherDigest),
            }
        }
        SignatureContent::MessageSignature(message) => {
            let digest = message.message_digest.as_ref();
            let other = digest.is_some_and(|digest| {
                digest.algorithm == HashAlgorithm::Sha2256
                    && digest.digest.as_bytes() != subject.digest.as_bytes()
            });
            if other {
                return Err(Rejected::OtherDigest);
            }
            let signature = message.signature.as_bytes();
            let made = match subject.bytes {
                Some(bytes) => key.made(signature, bytes),
                None => key.made_of_digest(signature, subject.digest)?,
            };
            match made {
                true => Ok(()),
                false => Err(Rejected::OtherKey),
            }
        }
        _ => Err(Rejected::Unreadable(
            "its content is of a newer kind".into(),
        )),
    }
}

fn artifact(subject: Subject<'_>) -> Artifact<'_> {
    match subject.bytes {
        Some(bytes) => Artifact::from_blob(bytes),
        None => Artifact::from_digest(hash(subject.digest)),
    }
}

pub(super) fn hash(digest: Digest) -> Sha256Hash {
    Sha256Hash::new(*digest.as_bytes())
}

fn signer(id: SignerId, bundle: &Bundle, result: &VerificationResult) -> Signer {
    let times = result.verified_timestamps().iter();
    let signed_at = times.min().and_then(|time| {
        // The libraries use different versions of `jiff`.
        Timestamp::from_second(time.as_second()).ok()
    });
    let entry = bundle.verification_material.tlog_entries.first();
    Signer {
        id,
        signed_at,
        log_index: entry.map(|entry| entry.log_index.get()),
    }
}

impl From<SigstoreError> for Rejected {
    fn from(error: SigstoreError) -> Self {
        match error {
            SigstoreError::ArtifactMismatch(_) => Rejected::OtherDigest,
            SigstoreError::UnsupportedArtifact(_) => Rejected::NeedsBytes,
            error => Rejected::Invalid(error.to_string()),
        }
    }
}
