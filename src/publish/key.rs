//! Private keys in the format of cosign's key files: PKCS#8, encrypted with a
//! password ([scrypt] and NaCl's secretbox).
//!
//! [scrypt]: https://www.rfc-editor.org/rfc/rfc7914

use std::fmt;
use std::io;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cryptoxide::scrypt::{ScryptParams, scrypt};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::file::{Links, read_text};
use crate::secret::Secret;
use crate::text::without_bom;
use crate::verify::pem;

use super::secretbox;

/// Largest key file, in bytes.
const MAX_KEY: u64 = 64 << 10;
/// PEM labels: the present one of cosign, and its former one.
const LABELS: [&str; 2] = [
    "ENCRYPTED SIGSTORE PRIVATE KEY",
    "ENCRYPTED COSIGN PRIVATE KEY",
];
const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
/// The scrypt cost that cosign uses.
const COST: Scrypt = Scrypt {
    n: 32_768,
    r: 8,
    p: 1,
};
/// Most memory that the key derivation may use, in bytes.
const MAX_MEMORY: u64 = 512 << 20;
const MAX_PARALLEL: u32 = 8;
const SALT: usize = 32;
const ALGORITHM: &EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;

/// A key pair for signing.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    /// SubjectPublicKeyInfo in DER.
    public: Vec<u8>,
}

/// A private key that is encrypted with a password.
#[derive(Debug, Deserialize, Serialize)]
pub struct EncryptedKey {
    kdf: Kdf,
    cipher: Cipher,
    #[serde(with = "base64_text")]
    ciphertext: Vec<u8>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Kdf {
    name: String,
    params: Scrypt,
    #[serde(with = "base64_text")]
    salt: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
struct Scrypt {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Debug, Deserialize, Serialize)]
struct Cipher {
    name: String,
    #[serde(with = "base64_text")]
    nonce: Vec<u8>,
}

/// The reason why a private key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{place} holds no private key that can be used")]
pub struct InvalidSigningKey {
    /// The file, in backticks.
    place: String,
    #[source]
    fault: KeyFault,
}

#[derive(Debug, thiserror::Error)]
enum KeyFault {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    #[error("it is a public key: the private one signs")]
    Public,
    #[error("it is a certificate, not a private key")]
    Certificate,
    #[error("its private key is not encrypted with a password, as cosign does it")]
    Bare,
    #[error("it is no PEM file with an `{}`", LABELS[0])]
    NotPem,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it is encrypted by `{0}`, which is not known")]
    Unknown(String),
    #[error("to decrypt it would take too much memory or time")]
    Costly,
    #[error("the password does not open it")]
    Password,
    #[error("it is no ECDSA key of the curve P-256, and no other can sign yet")]
    Algorithm,
    #[error("the system has no randomness")]
    Random,
}

impl InvalidSigningKey {
    /// Whether another password may decrypt the key.
    pub fn is_password(&self) -> bool {
        matches!(self.fault, KeyFault::Password)
    }
}

impl Diagnose for InvalidSigningKey {
    fn code(&self) -> &'static str {
        match self.fault {
            KeyFault::Password => "wrong-password",
            _ => "invalid-signing-key",
        }
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.fault {
            KeyFault::Read(_) | KeyFault::Random => return None,
            KeyFault::Password => {
                "the password is asked for on a terminal, or read from `COSIGN_PASSWORD` or \
                 standard input"
            }
            KeyFault::Bare => {
                "`wassette key generate` makes one that is; `cosign import-key-pair` encrypts \
                 this one"
            }
            _ => "`wassette key generate` makes a key pair; the private key is in its `.key` file",
        };
        Some(hint.to_owned())
    }
}

impl EncryptedKey {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`], which says what the file holds instead.
    pub fn read(file: &Path) -> Result<Self, InvalidSigningKey> {
        let text = read_text(file, MAX_KEY, Links::Follow).map_err(KeyFault::Read);
        let parsed = text.and_then(|text| EncryptedKey::parse(&Zeroizing::new(text)));
        parsed.map_err(|fault| InvalidSigningKey {
            place: format!("`{}`", file.display()),
            fault,
        })
    }

    fn parse(text: &str) -> Result<Self, KeyFault> {
        let text = without_bom(text).trim();
        let between = |label: &str| {
            let rest = text.strip_prefix(&format!("-----BEGIN {label}-----"))?;
            rest.strip_suffix(&format!("-----END {label}-----"))
        };
        let Some(body) = LABELS.iter().find_map(|label| between(label)) else {
            return Err(match text {
                text if text.contains("PUBLIC KEY-----") => KeyFault::Public,
                text if text.contains("-----BEGIN CERTIFICATE") => KeyFault::Certificate,
                text if text.contains("PRIVATE KEY-----") => KeyFault::Bare,
                _ => KeyFault::NotPem,
            });
        };
        let body: String = body.split_whitespace().collect();
        let damaged = |error: &dyn fmt::Display| KeyFault::Damaged(error.to_string());
        let json = STANDARD.decode(body).map_err(|error| damaged(&error))?;
        serde_json::from_slice(&json).map_err(|error| damaged(&error))
    }

    /// Decrypts the key, which takes a moment of processor time. `file` is used in messages.
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`]; if [`is_password`](InvalidSigningKey::is_password) is true, another
    /// password may work.
    pub fn open(&self, password: &Secret, file: &Path) -> Result<SigningKey, InvalidSigningKey> {
        self.decrypt(password)
            .and_then(|pkcs8| SigningKey::of_pkcs8(&pkcs8))
            .map_err(|fault| InvalidSigningKey {
                place: format!("`{}`", file.display()),
                fault,
            })
    }

    fn decrypt(&self, password: &Secret) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        for (name, known) in [(&self.kdf.name, KDF), (&self.cipher.name, CIPHER)] {
            if name != known {
                let shown = name.chars().filter(|c| !c.is_control()).take(40);
                return Err(KeyFault::Unknown(shown.collect()));
            }
        }
        let nonce: &[u8; secretbox::NONCE] = (&*self.cipher.nonce)
            .try_into()
            .map_err(|_| KeyFault::Damaged("its nonce is of another length".into()))?;
        let key = derived(password, &self.kdf.salt, self.kdf.params)?;
        secretbox::open(&key, nonce, &self.ciphertext).ok_or(KeyFault::Password)
    }

    /// The text of a key file.
    pub fn to_pem(&self) -> String {
        // Names, numbers and base64 always serialize to JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        pem(LABELS[0], &STANDARD.encode(json))
    }
}

/// Derives the key from a password. Takes a moment of processor time.
fn derived(
    password: &Secret,
    salt: &[u8],
    Scrypt { n, r, p }: Scrypt,
) -> Result<Zeroizing<[u8; 32]>, KeyFault> {
    // The parameters are checked here, because the library panics on invalid ones.
    let is_cheap = n.saturating_mul(u64::from(r)).saturating_mul(128) <= MAX_MEMORY;
    let is_valid = n >= 2 && n.is_power_of_two() && r >= 1 && (1..=MAX_PARALLEL).contains(&p);
    if !is_cheap || !is_valid || n.ilog2() >= r.saturating_mul(16) {
        return Err(KeyFault::Costly);
    }
    let log_n = u8::try_from(n.ilog2()).map_err(|_| KeyFault::Costly)?;
    let mut key = Zeroizing::new([0; 32]);
    let params = ScryptParams::new(log_n, r, p);
    scrypt(password.expose().as_bytes(), salt, &params, &mut *key);
    Ok(key)
}

impl SigningKey {
    /// Makes a new key pair and encrypts its private key.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn generate(password: &Secret) -> Result<(Self, EncryptedKey), InvalidSigningKey> {
        let made = || {
            let document = EcdsaKeyPair::generate_pkcs8(ALGORITHM, &SystemRandom::new())
                .map_err(|_| KeyFault::Random)?;
            let (mut salt, mut nonce) = ([0; SALT], [0; secretbox::NONCE]);
            for bytes in [&mut salt[..], &mut nonce[..]] {
                getrandom::fill(bytes).map_err(|_| KeyFault::Random)?;
            }
            let key = derived(password, &salt, COST)?;
            let encrypted = EncryptedKey {
                kdf: Kdf {
                    name: KDF.into(),
                    params: COST,
                    salt: salt.into(),
                },
                cipher: Cipher {
                    name: CIPHER.into(),
                    nonce: nonce.into(),
                },
                ciphertext: secretbox::seal(&key, &nonce, document.as_ref()),
            };
            Ok((SigningKey::of_pkcs8(document.as_ref())?, encrypted))
        };
        made().map_err(|fault| InvalidSigningKey {
            place: "What was generated".into(),
            fault,
        })
    }

    fn of_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyFault> {
        let pair = EcdsaKeyPair::from_pkcs8(ALGORITHM, pkcs8).map_err(|_| KeyFault::Algorithm)?;
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_| KeyFault::Algorithm)?;
        let public = public.as_ref().to_vec();
        Ok(SigningKey { pair, public })
    }

    /// SHA-256 of the public key's SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.public)
    }

    /// The public key as PEM.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &STANDARD.encode(&self.public))
    }

    /// A signature over the bytes (ECDSA with SHA-256, ASN.1).
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, InvalidSigningKey> {
        let signature = self.pair.sign(&SystemRandom::new(), bytes);
        match signature {
            Ok(signature) => Ok(signature.as_ref().to_vec()),
            Err(_) => Err(InvalidSigningKey {
                place: "The key pair".into(),
                fault: KeyFault::Random,
            }),
        }
    }
}

mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}
