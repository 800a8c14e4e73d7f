//! Options that name trusted signers: those of `cosign verify`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Identity, InvalidRule, Text};
use crate::error::{Class, Diagnose};
use crate::service::SignerChange;
use crate::verify::Expectation;

use super::Failure;

/// Heading of these options in the help.
const HEADING: &str = "Trusted signers";

#[derive(Args)]
pub(super) struct SignerArgs {
    /// PEM file of a public key
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    key: Vec<PathBuf>,

    /// The identity in the certificate
    #[arg(long, help_heading = HEADING, value_name = "TEXT", conflicts_with = "key")]
    certificate_identity: Option<String>,

    /// The same as a regular expression
    #[arg(
        long,
        help_heading = HEADING,
        value_name = "REGEXP",
        conflicts_with_all = ["key", "certificate_identity"]
    )]
    certificate_identity_regexp: Option<String>,

    /// Who vouched for that
    #[arg(long, help_heading = HEADING, value_name = "URL", conflicts_with = "key")]
    certificate_oidc_issuer: Option<String>,

    /// The same as a regular expression
    #[arg(
        long,
        help_heading = HEADING,
        value_name = "REGEXP",
        conflicts_with_all = ["key", "certificate_oidc_issuer"]
    )]
    certificate_oidc_issuer_regexp: Option<String>,

    /// trusted_root.json of another Sigstore than the public one
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
}

/// Options that contradict each other.
#[derive(Debug, thiserror::Error)]
enum InvalidSigner {
    #[error("a certificate is known by both its identity and its issuer")]
    Half,
    #[error("a trust root alone does not name a trusted signer")]
    RootAlone,
    #[error(transparent)]
    Pattern(#[from] InvalidRule),
}

impl Diagnose for InvalidSigner {
    fn code(&self) -> &'static str {
        "invalid-signer"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            InvalidSigner::Half => {
                "give `--certificate-identity` or `--certificate-identity-regexp`, and \
                 `--certificate-oidc-issuer` or `--certificate-oidc-issuer-regexp`"
            }
            InvalidSigner::RootAlone => {
                "give `--key`, or `--certificate-identity` and `--certificate-oidc-issuer`"
            }
            InvalidSigner::Pattern(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// The setting that `--accept-signer` selects.
pub(super) fn change(accepted: bool) -> SignerChange {
    match accepted {
        true => SignerChange::Accept,
        false => SignerChange::Refuse,
    }
}

impl SignerArgs {
    /// The signers that the options accept; `None` without such options.
    pub fn expectation(&self) -> Result<Option<Expectation>, Failure> {
        let identity = text(
            "--certificate-identity-regexp",
            &self.certificate_identity,
            &self.certificate_identity_regexp,
        )?;
        let issuer = text(
            "--certificate-oidc-issuer-regexp",
            &self.certificate_oidc_issuer,
            &self.certificate_oidc_issuer_regexp,
        )?;
        let identity = match (identity, issuer) {
            (None, None) => None,
            (Some(subject), Some(issuer)) => Some(Identity { issuer, subject }),
            _ => return Err(InvalidSigner::Half.into()),
        };
        if identity.is_none() && self.key.is_empty() {
            return match self.trusted_root {
                Some(_) => Err(InvalidSigner::RootAlone.into()),
                None => Ok(None),
            };
        }
        Ok(Some(Expectation {
            identity,
            keys: self.key.clone(),
            trusted_root: self.trusted_root.clone(),
        }))
    }
}

/// cosign accepts patterns that match a part of the text, so these are accepted too.
fn text(
    option: &str,
    exact: &Option<String>,
    pattern: &Option<String>,
) -> Result<Option<Text>, InvalidSigner> {
    if let Some(exact) = exact {
        return Ok(Some(Text::Exact(exact.clone())));
    }
    let Some(pattern) = pattern else {
        return Ok(None);
    };
    let text = Text::pattern(pattern)?;
    if text.is_unanchored() {
        let shown = pattern.trim_start_matches('^').trim_end_matches('$');
        tracing::warn!(
            "`{option}` is not anchored: it also accepts whoever has a name that only contains \
             such a part, as `https://evil.example/{shown}/…` may; `^…$` means the whole"
        );
    }
    Ok(Some(text))
}
