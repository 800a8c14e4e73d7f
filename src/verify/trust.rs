//! Why a component is trusted to be the one meant.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::text::printable;

/// Why a component is trusted to be the one meant, beyond that its content
/// matches the digests of its source.
///
/// Serialized as a word where one says all: `digest`, `pinned`, `skipped`,
/// `unsigned` or `unknown`; else as an object of `trust`, `signature` and
/// `signer`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Trust {
    /// It matches a digest that the operator gave.
    pub pinned: bool,
    pub signature: Signature,
    /// The operator asked not to check its parts against each other.
    pub skipped: bool,
}

/// What is known of a component's signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Signature {
    /// None was looked for: its source has none, and no rule asks for one.
    #[default]
    NotSought,
    /// There is none.
    Unsigned,
    /// There was no answer, or nothing that could be verified.
    Unknown,
    Signed(Signer),
}

/// Who signed, and what is known of when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    #[serde(flatten)]
    pub id: SignerId,
    /// Proven by a log or a timestamp authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<Timestamp>,
    /// Where the signature stands in the transparency log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
}

/// What tells one signer from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SignerId {
    Key {
        /// SHA-256 of the public key's SubjectPublicKeyInfo.
        fingerprint: Digest,
        /// That SubjectPublicKeyInfo, in base64.
        public_key: String,
    },
    /// A certificate's, short-lived, whose issuer vouched for the subject.
    Identity { subject: String, issuer: String },
}

impl SignerId {
    /// The rule that only this signer meets, as a manifest has it.
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

/// A PEM text of what is base64 already.
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
    /// Who signed it, where that was verified.
    pub fn signer(&self) -> Option<&Signer> {
        match &self.signature {
            Signature::Signed(signer) => Some(signer),
            _ => None,
        }
    }

    /// Whether another version is trusted for the same reasons. When it was
    /// signed, and whether a missing signature was looked for, plays no part.
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

/// Of a component that is neither pinned nor skipped, nor signed.
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
