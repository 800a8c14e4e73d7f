//! The reasons to trust a component.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::text::printable;

/// The reasons to trust a component, besides the match between its content and the digests of its
/// source.
///
/// Serialized as one string if that is enough: `digest`, `pinned`, `skipped`, `unsigned` or
/// `unknown`; otherwise as an object of `trust`, `signature` and `signer`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Trust {
    /// Its digest matches one that the operator gave.
    pub pinned: bool,
    pub signature: Signature,
    /// The operator turned off the check of its parts against each other.
    pub skipped: bool,
}

/// The result of the search for a component's signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Signature {
    /// Not searched: the source has no signatures, and no rule requires one.
    #[default]
    NotSought,
    /// There is no signature.
    Unsigned,
    /// The search failed, or found nothing that could be verified.
    Unknown,
    Signed(Signer),
}

/// A signer, and the signing time if known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    #[serde(flatten)]
    pub id: SignerId,
    /// Signing time, proven by a log or a timestamp authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<Timestamp>,
    /// Index of the signature's entry in the transparency log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
}

/// The identity of a signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SignerId {
    Key {
        /// SHA-256 of the public key's SubjectPublicKeyInfo.
        fingerprint: Digest,
        /// The SubjectPublicKeyInfo, in base64.
        public_key: String,
    },
    /// Subject of a short-lived certificate, and the issuer that vouched for it.
    Identity { subject: String, issuer: String },
}

impl SignerId {
    /// The rule that only this signer meets, in the form of a manifest.
    pub fn rule(&self, trusted_root: Option<&Path>) -> Value {
        let mut rule = json!({ "require": "signature" });
        match self {
            SignerId::Key { public_key, .. } => {
                rule["keys"] = json!([pem("PUBLIC KEY", public_key)])
            }
            SignerId::Identity { subject, issuer } => {
                rule["identities"] = json!([{ "issuer": issuer, "subject": subject }]);
            }
        }
        if let Some(file) = trusted_root {
            rule["trusted-root"] = json!(file);
        }
        rule
    }
}

/// Makes a PEM text from base64.
pub(crate) fn pem(label: &str, base64: &str) -> String {
    const LINE: usize = 64;
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = base64;
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + &format!("-----END {label}-----\n")
}

impl fmt::Display for SignerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignerId::Key { fingerprint, .. } => write!(f, "key {fingerprint}"),
            SignerId::Identity { subject, issuer } => {
                write!(f, "{} ({})", printable(subject), printable(issuer))
            }
        }
    }
}

impl Trust {
    /// The signer, if the signature was verified.
    pub fn signer(&self) -> Option<&Signer> {
        match &self.signature {
            Signature::Signed(signer) => Some(signer),
            _ => None,
        }
    }

    /// Whether another version is trusted for the same reasons. The signing time, and whether a
    /// missing signature was searched for, are not compared.
    pub fn is_like(&self, other: &Trust) -> bool {
        let id = |trust: &Trust| trust.signer().map(|signer| signer.id.clone());
        (self.pinned, self.skipped, id(self)) == (other.pinned, other.skipped, id(other))
    }

    fn basis(&self) -> Basis {
        match (self.skipped, self.pinned) {
            (true, _) => Basis::Skipped,
            (false, true) => Basis::Pinned,
            (false, false) => Basis::Digest,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Basis {
    Digest,
    Pinned,
    Skipped,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Finding {
    #[default]
    NotSought,
    Unsigned,
    Unknown,
    Signed,
}

/// The signature state of a component that is not pinned, skipped or signed.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Missing {
    Unsigned,
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Basis(Basis),
    Missing(Missing),
    Full {
        trust: Basis,
        #[serde(default)]
        signature: Finding,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signer: Option<Signer>,
    },
}

impl From<Written> for Trust {
    fn from(written: Written) -> Self {
        let (basis, signature) = match written {
            Written::Basis(basis) => (basis, Signature::NotSought),
            Written::Missing(Missing::Unsigned) => (Basis::Digest, Signature::Unsigned),
            Written::Missing(Missing::Unknown) => (Basis::Digest, Signature::Unknown),
            Written::Full {
                trust,
                signature,
                signer,
            } => {
                let signature = match (signature, signer) {
                    (Finding::Signed, Some(signer)) => Signature::Signed(signer),
                    (Finding::Unsigned, _) => Signature::Unsigned,
                    (Finding::NotSought, _) => Signature::NotSought,
                    (Finding::Unknown, _) | (Finding::Signed, None) => Signature::Unknown,
                };
                (trust, signature)
            }
        };
        Trust {
            pinned: basis == Basis::Pinned,
            skipped: basis == Basis::Skipped,
            signature,
        }
    }
}

impl From<Trust> for Written {
    fn from(trust: Trust) -> Self {
        let basis = trust.basis();
        let full = |signature, signer| Written::Full {
            trust: basis,
            signature,
            signer,
        };
        match (trust.signature, basis) {
            (Signature::NotSought, basis) => Written::Basis(basis),
            (Signature::Unsigned, Basis::Digest) => Written::Missing(Missing::Unsigned),
            (Signature::Unknown, Basis::Digest) => Written::Missing(Missing::Unknown),
            (Signature::Unsigned, _) => full(Finding::Unsigned, None),
            (Signature::Unknown, _) => full(Finding::Unknown, None),
            (Signature::Signed(signer), _) => full(Finding::Signed, Some(signer)),
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let basis = match self.basis() {
            Basis::Digest => "",
            Basis::Pinned => "pinned",
            Basis::Skipped => "skipped",
        };
        let separator = if basis.is_empty() { "" } else { ", " };
        match &self.signature {
            Signature::NotSought if basis.is_empty() => f.write_str("digest"),
            Signature::NotSought => f.write_str(basis),
            Signature::Unsigned => write!(f, "{basis}{separator}unsigned"),
            Signature::Unknown if basis.is_empty() => f.write_str("unknown"),
            Signature::Unknown => write!(f, "{basis}, signature unknown"),
            Signature::Signed(signer) => {
                write!(f, "{basis}{separator}signed by {}", signer.id)
            }
        }
    }
}
