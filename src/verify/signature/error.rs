use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::digest::Digest;
use crate::error::{Class, Diagnose};
use crate::text::printable;

use super::super::SignerId;
use super::{InvalidKey, InvalidRoot, Wanted};

/// Most rejected signatures that an error shows.
const SHOWN: usize = 8;

/// A component whose signature does not meet the requirements.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    #[error("{} of `{reference}`, but it is not signed", wanted(.by))]
    Unsigned { reference: String, by: Wanted },
    #[error("{} of `{reference}`, but none of its signatures is trusted", wanted(.by))]
    Rejected {
        reference: String,
        by: Wanted,
        attempts: Vec<Attempt>,
    },
    #[error("Failed to find out whether `{reference}` is signed")]
    Unanswered {
        reference: String,
        by: Wanted,
        reason: String,
    },
    #[error("{} of `{reference}`, but no trusted signer is given", wanted(.by))]
    Nobody { reference: String, by: Wanted },
    #[error(
        "The installed version of `{reference}` was signed by {before}, but the new one was not"
    )]
    SignerChanged {
        reference: String,
        before: SignerId,
        now: String,
    },
    #[error("The new version of `{reference}` was not signed later than the installed one")]
    SignedEarlier {
        reference: String,
        before: Timestamp,
        /// None where no time is proven.
        now: Option<Timestamp>,
    },
    #[error("The rule for `{scope}` loads components by digest only")]
    DigestRequired { scope: String },
    #[error("{digest} is denied by the rule for `{scope}`")]
    Denied { digest: Digest, scope: String },
    #[error("Failed to read the bundles of `{}`", file.display())]
    Bundle { file: PathBuf, source: io::Error },
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Root(#[from] InvalidRoot),
}

/// One signature that was found and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which one it is.
    pub what: String,
    pub reason: String,
}

fn wanted(by: &Wanted) -> String {
    match by {
        Wanted::Rule(scope) => {
            format!("The rule for `{}` requires a signature", printable(scope))
        }
        Wanted::Before => "The signature of the previous version is required".into(),
        Wanted::Command | Wanted::Report => "A signature is required".into(),
    }
}

impl Diagnose for TrustError {
    fn code(&self) -> &'static str {
        match self {
            TrustError::Unsigned { .. } => "signature-required",
            TrustError::Rejected { .. } => "signature-rejected",
            TrustError::Unanswered { .. } => "signature-unknown",
            TrustError::Nobody { .. } => "no-signer-named",
            TrustError::SignerChanged { .. } => "signer-changed",
            TrustError::SignedEarlier { .. } => "signed-earlier",
            TrustError::DigestRequired { .. } => "digest-required",
            TrustError::Denied { .. } => "digest-denied",
            TrustError::Bundle { .. } => "unreadable-bundle",
            TrustError::Key(error) => error.code(),
            TrustError::Root(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            TrustError::Bundle { .. } => Class::Usage,
            TrustError::Key(error) => error.class(),
            TrustError::Root(error) => error.class(),
            _ => Class::Verification,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            TrustError::Unsigned { .. } => {
                "nothing was installed; its publisher can sign it with `cosign sign`, and a rule \
                 in config.toml decides what needs a signature"
            }
            TrustError::Rejected { .. } => {
                "nothing was installed; `wassette verify` shows each signature, and `[[trust]]` \
                 in config.toml names those that count"
            }
            TrustError::Unanswered { .. } => {
                "nothing was installed; try again once the registry answers"
            }
            TrustError::Nobody { .. } => {
                "name `keys` or `identities` in the rule, or give `--key`, or \
                 `--certificate-identity` and `--certificate-oidc-issuer`"
            }
            TrustError::SignerChanged { .. } => {
                "nothing was installed; if the change is meant, load it again with \
                 `--accept-signer`"
            }
            TrustError::SignedEarlier { .. } => {
                "nothing was installed; if an older version is meant, load it again with \
                 `--accept-signer`"
            }
            TrustError::DigestRequired { .. } => {
                "ask for it by digest (`@sha256:…`), or give the digest with `--digest`"
            }
            TrustError::Denied { .. } => {
                "`deny` in config.toml lists what is never loaded; take another version"
            }
            TrustError::Bundle { .. } => return None,
            TrustError::Key(error) => return error.hint(),
            TrustError::Root(error) => return error.hint(),
        };
        Some(hint.to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            TrustError::Rejected { attempts, .. } => {
                let shown = attempts.iter().take(SHOWN);
                let mut facts: Vec<_> = shown
                    .map(|one| ("found", format!("{}: {}", one.what, one.reason)))
                    .collect();
                if attempts.len() > SHOWN {
                    facts.push(("found", format!("{} more", attempts.len() - SHOWN)));
                }
                facts
            }
            TrustError::Unanswered { reason, .. } => vec![("answer", reason.clone())],
            TrustError::SignerChanged { before, now, .. } => {
                vec![("before", before.to_string()), ("now", now.clone())]
            }
            TrustError::SignedEarlier { before, now, .. } => {
                let now = now.map_or_else(|| "at no proven time".into(), |at| at.to_string());
                vec![("before", before.to_string()), ("now", now)]
            }
            _ => Vec::new(),
        }
    }
}
