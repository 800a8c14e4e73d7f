//! Public keys in PEM files.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sigstore_verify::crypto::{
    KeyAlgorithm, SigningScheme, VerificationKey, validate_raw_public_key,
};
use sigstore_verify::types::{DerPublicKey, HashAlgorithm, SignatureBytes};

use crate::config::KeySource;
use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::file::{Links, read_text};
use crate::text::without_bom;

use super::super::SignerId;

/// Largest key file, in bytes.
const MAX_KEY: u64 = 64 << 10;

/// A trusted public key.
#[derive(Debug, Clone)]
pub struct PublicKey {
    pub(super) spki: DerPublicKey,
    algorithm: KeyAlgorithm,
}

/// The reason why a file holds no usable public key.
#[derive(Debug, thiserror::Error)]
#[error("{place} holds no public key that can be used")]
pub struct InvalidKey {
    /// The file in backticks, or a rule.
    place: String,
    source: KeyFault,
}

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is a certificate, not a public key")]
    Certificate,
    #[error("it is a private key, which only its owner should have")]
    Private,
    #[error("it is no PEM file with a `PUBLIC KEY`")]
    NotPem,
    #[error("its algorithm is not one of ECDSA (P-256, P-384), Ed25519 and RSA: {0}")]
    Algorithm(String),
    #[error("it is too weak, or damaged: {0}")]
    Weak(String),
}

impl Diagnose for InvalidKey {
    fn code(&self) -> &'static str {
        "invalid-key"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.source {
            KeyFault::Read(_) => return None,
            KeyFault::Certificate => {
                "`openssl x509 -pubkey -noout -in FILE` prints the key of a certificate"
            }
            KeyFault::Private => {
                "`openssl pkey -pubout -in FILE` prints the public half; cosign writes it as \
                 `cosign.pub`"
            }
            KeyFault::NotPem | KeyFault::Algorithm(_) | KeyFault::Weak(_) => {
                "give the file that begins with `-----BEGIN PUBLIC KEY-----`"
            }
        };
        Some(hint.to_owned())
    }
}

impl PublicKey {
    /// Reads the key. Relative paths start from `directory`.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`], which says what the file holds instead.
    pub fn of(key: &KeySource, directory: &Path) -> Result<Self, InvalidKey> {
        match key {
            KeySource::File(file) => PublicKey::read(&directory.join(file)),
            KeySource::Pem(text) => PublicKey::parse(text).map_err(|source| InvalidKey {
                place: "the text in `keys`".into(),
                source,
            }),
        }
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`], which says what the file holds instead.
    pub fn read(file: &Path) -> Result<Self, InvalidKey> {
        let text = read_text(file, MAX_KEY, Links::Follow).map_err(KeyFault::Read);
        text.and_then(|text| PublicKey::parse(&text))
            .map_err(|source| InvalidKey {
                place: format!("`{}`", file.display()),
                source,
            })
    }

    fn parse(text: &str) -> Result<Self, KeyFault> {
        let text = without_bom(text).trim();
        if text.contains("-----BEGIN CERTIFICATE") {
            return Err(KeyFault::Certificate);
        }
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyFault::Private);
        }
        let spki = DerPublicKey::from_pem(text).map_err(|_| KeyFault::NotPem)?;
        PublicKey::of_spki(spki)
    }

    /// The key of a recorded signer.
    pub(super) fn recorded(public_key: &str) -> Option<Self> {
        let der = STANDARD.decode(public_key).ok()?;
        PublicKey::of_spki(DerPublicKey::new(der)).ok()
    }

    fn of_spki(spki: DerPublicKey) -> Result<Self, KeyFault> {
        use KeyAlgorithm::{EcdsaP256, EcdsaP384, Ed25519, Rsa};
        let algorithm = KeyAlgorithm::from_spki(&spki)
            .map_err(|error| KeyFault::Algorithm(error.to_string()))?;
        if !matches!(algorithm, EcdsaP256 | EcdsaP384 | Ed25519 | Rsa) {
            return Err(KeyFault::Algorithm(format!("{algorithm:?}")));
        }
        let weak = |error: sigstore_verify::crypto::Error| KeyFault::Weak(error.to_string());
        let key = VerificationKey::from_spki(&spki).map_err(weak)?;
        validate_raw_public_key(key.scheme(), key.as_bytes()).map_err(weak)?;
        Ok(PublicKey { spki, algorithm })
    }

    pub fn id(&self) -> SignerId {
        SignerId::Key {
            fingerprint: Digest::of(self.spki.as_bytes()),
            public_key: STANDARD.encode(self.spki.as_bytes()),
        }
    }

    /// Whether this key made the signature over these bytes.
    pub(super) fn made(&self, signature: &[u8], bytes: &[u8]) -> bool {
        let signature = SignatureBytes::from_bytes(signature);
        self.schemes().any(|scheme| {
            VerificationKey::from_spki_with_scheme(&self.spki, scheme)
                .is_ok_and(|key| key.verify(bytes, &signature).is_ok())
        })
    }

    /// cosign always hashes with SHA-256; other tools choose the hash by the curve.
    fn schemes(&self) -> impl Iterator<Item = SigningScheme> {
        let usual = self.algorithm.default_signing_scheme();
        let sha256 = HashAlgorithm::Sha2256;
        let other = self.algorithm.resolve_signing_scheme(sha256).ok();
        [Some(usual), other.filter(|other| *other != usual)]
            .into_iter()
            .flatten()
    }
}

impl PublicKey {
    /// Like [`made`](Self::made), for when only the digest of the bytes is available.
    pub(super) fn made_of_digest(
        &self,
        signature: &[u8],
        digest: Digest,
    ) -> Result<bool, super::Rejected> {
        let sha256 = HashAlgorithm::Sha2256;
        let scheme = self.algorithm.resolve_signing_scheme(sha256);
        let scheme = scheme.map_err(|_| super::Rejected::NeedsBytes)?;
        if scheme.hash_algorithm() != Some(sha256) {
            return Err(super::Rejected::NeedsBytes);
        }
        let signature = SignatureBytes::from_bytes(signature);
        Ok(VerificationKey::from_spki_with_scheme(&self.spki, scheme)
            .is_ok_and(|key| key.verify_prehashed(digest.as_bytes(), &signature).is_ok()))
    }
}
