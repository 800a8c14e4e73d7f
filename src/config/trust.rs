//! `[[trust]]`: which components must be signed, and by whom.

mod remark;
mod scope;

use std::fmt;
use std::path::{Path, PathBuf};

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::Look;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::reference::Reference;
use crate::text::printable;

pub use remark::{Remark, remarks};
pub use scope::Scope;

/// Largest compiled pattern, in bytes; identities need no more.
const MAX_PATTERN: usize = 1 << 20;

/// All rules. No two of them have the same scope.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Vec<TrustRule>")]
pub struct TrustConfig(pub Vec<TrustRule>);

impl TryFrom<Vec<TrustRule>> for TrustConfig {
    type Error = InvalidRule;

    fn try_from(rules: Vec<TrustRule>) -> Result<Self, Self::Error> {
        let deciding: Vec<&TrustRule> = rules.iter().filter(|one| one.require.is_some()).collect();
        for (at, rule) in deciding.iter().enumerate() {
            if deciding[..at]
                .iter()
                .any(|one| one.scope.is_same(&rule.scope))
            {
                return Err(InvalidRule::Twice(rule.scope.as_str().to_owned()));
            }
        }
        Ok(TrustConfig(rules))
    }
}

/// The requirements for the components of one scope.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "WrittenRule")]
pub struct TrustRule {
    pub scope: Scope,
    /// `None` if the rule only denies digests; another rule then decides what is required.
    pub require: Option<Required>,
    /// Accepted signers with a certificate.
    pub identities: Vec<Identity>,
    /// Accepted public keys; relative paths start from the configuration's directory.
    pub keys: Vec<KeySource>,
    /// The trust root that replaces Sigstore's; a relative path starts from the configuration's
    /// directory.
    pub trusted_root: Option<PathBuf>,
    /// Digests that are never loaded.
    pub deny: Vec<Digest>,
}

/// The condition for loading a component.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Required {
    /// Nothing.
    None,
    /// The reference must have a digest.
    Digest,
    /// One of the rule's signers must have signed it.
    Signature,
}

/// The location of a public key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum KeySource {
    /// A PEM file.
    File(PathBuf),
    /// The PEM text, in the rule itself.
    Pem(String),
}

impl From<String> for KeySource {
    fn from(text: String) -> Self {
        match text.trim_start().starts_with("-----BEGIN") {
            true => KeySource::Pem(text),
            false => KeySource::File(text.into()),
        }
    }
}

/// The signature that a component needs. The scope of a rule in a manifest is its component.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Trust")]
pub(crate) struct WrittenRule {
    #[schemars(skip)]
    scope: Scope,
    /// `signature`; `digest` (the reference must have one); or `none`.
    #[schemars(with = "Option<Required>")]
    require: Option<Required>,
    /// Accepted signers with a certificate.
    #[serde(default)]
    #[schemars(with = "Option<Vec<WrittenIdentity>>")]
    identities: Vec<Identity>,
    /// Accepted public keys: paths of PEM files, relative to the file with the rule, or PEM texts.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    keys: Vec<KeySource>,
    /// A `trusted_root.json` in place of Sigstore's public one.
    #[serde(alias = "trusted_root")]
    #[schemars(with = "Option<String>")]
    trusted_root: Option<PathBuf>,
    /// Digests that are never loaded.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    deny: Vec<Digest>,
}

/// The reason why a rule is invalid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRule {
    #[error(
        "`{0}` is not a scope: it must be `*`, or a registry and the beginning of a repository \
         such as `ghcr.io/acme/*`, or an address such as `https://example.com/tools/*` or \
         `file:///srv/tools/*`; whole segments may be `*`, which may begin the name of a host"
    )]
    Scope(String),
    #[error("two rules decide about the scope `{0}`")]
    Twice(String),
    #[error("a rule names what it requires (`require`), or what it denies (`deny`)")]
    Nothing,
    #[error("a rule in a manifest has no `scope`: it is about its own component alone")]
    ScopeOfOne,
    #[error(transparent)]
    Keys(#[from] serde_json::Error),
    #[error("`{pattern}` is not a valid pattern: {reason}")]
    Pattern { pattern: String, reason: String },
    #[error(
        "the pattern `{0}` is not anchored, so that it also matches texts that only contain what \
         it means: begin it with `^` and end it with `$`, around every alternative"
    )]
    Unanchored(String),
    #[error("an identity has either `{0}` or `{0}-regex`")]
    Identity(&'static str),
}

impl TryFrom<WrittenRule> for TrustRule {
    type Error = InvalidRule;

    fn try_from(rule: WrittenRule) -> Result<Self, Self::Error> {
        let names_signers = !rule.identities.is_empty() || !rule.keys.is_empty();
        let require = match rule.require {
            None if names_signers => Some(Required::Signature),
            None if rule.deny.is_empty() => return Err(InvalidRule::Nothing),
            require => require,
        };
        Ok(TrustRule {
            scope: rule.scope,
            require,
            identities: rule.identities,
            keys: rule.keys,
            trusted_root: rule.trusted_root,
            deny: rule.deny,
        })
    }
}

impl TrustRule {
    /// A rule for one component, from the keys of a rule except `scope`. Relative paths start from
    /// `directory`.
    ///
    /// # Errors
    ///
    /// When the keys do not form a valid rule.
    pub(crate) fn about(
        reference: &Reference,
        mut keys: Value,
        directory: &Path,
    ) -> Result<Self, InvalidRule> {
        if keys.get("scope").is_some() {
            return Err(InvalidRule::ScopeOfOne);
        }
        keys["scope"] = "*".into();
        let rule: TrustRule = serde_json::from_value(keys)?;
        Ok(TrustRule {
            scope: Scope::of_one(reference),
            keys: rule.keys.into_iter().map(|key| key.at(directory)).collect(),
            trusted_root: rule.trusted_root.map(|file| directory.join(file)),
            ..rule
        })
    }

    /// Whether it refers to files of this machine.
    pub(crate) fn names_files(&self) -> bool {
        let mut keys = self.keys.iter();
        self.trusted_root.is_some() || keys.any(|key| matches!(key, KeySource::File(_)))
    }
}

impl KeySource {
    /// The key with its path resolved from this directory.
    #[must_use]
    pub fn at(self, directory: &Path) -> Self {
        match self {
            KeySource::File(file) => KeySource::File(directory.join(file)),
            KeySource::Pem(text) => KeySource::Pem(text),
        }
    }
}

/// A signer with a certificate: issuer and subject must both match.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "WrittenIdentity")]
pub struct Identity {
    /// The OpenID Connect issuer that vouched for the subject.
    pub issuer: Text,
    /// The subject of the certificate: a mail address, or the address of a workflow.
    pub subject: Text,
}

/// A text to match.
#[derive(Debug, Clone)]
pub enum Text {
    Exact(String),
    Pattern(Regex),
}

/// A signer with a certificate, by its issuer and its subject.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Identity")]
struct WrittenIdentity {
    /// The OpenID Connect issuer that vouched for the subject.
    issuer: Option<String>,
    /// An anchored regular expression for the issuer.
    #[serde(alias = "issuer_regex")]
    issuer_regex: Option<String>,
    /// The subject of the certificate.
    subject: Option<String>,
    /// An anchored regular expression for the subject.
    #[serde(alias = "subject_regex")]
    subject_regex: Option<String>,
}

impl TryFrom<WrittenIdentity> for Identity {
    type Error = InvalidRule;

    fn try_from(written: WrittenIdentity) -> Result<Self, Self::Error> {
        let text = |what, exact, pattern| match (exact, pattern) {
            (Some(exact), None) => Ok(Text::Exact(exact)),
            (None, Some(pattern)) => Text::anchored(pattern),
            _ => Err(InvalidRule::Identity(what)),
        };
        Ok(Identity {
            issuer: text("issuer", written.issuer, written.issuer_regex)?,
            subject: text("subject", written.subject, written.subject_regex)?,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, issuer) = (self.subject.as_str(), self.issuer.as_str());
        write!(f, "{} ({})", printable(subject), printable(issuer))
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::File(file) => write!(f, "the key in {}", file.display()),
            KeySource::Pem(_) => f.write_str("the key in the rule"),
        }
    }
}

impl Text {
    /// A pattern that must match the whole text.
    ///
    /// # Errors
    ///
    /// [`InvalidRule::Unanchored`] when it may match only a part of the text.
    pub fn anchored(pattern: String) -> Result<Self, InvalidRule> {
        let text = Text::pattern(&pattern)?;
        match is_anchored(&pattern) {
            true => Ok(text),
            false => Err(InvalidRule::Unanchored(pattern)),
        }
    }

    /// A pattern that may match a part of the text.
    ///
    /// # Errors
    ///
    /// [`InvalidRule::Pattern`] when it is not a regular expression.
    pub fn pattern(pattern: &str) -> Result<Self, InvalidRule> {
        let compiled = RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
        compiled
            .map(Text::Pattern)
            .map_err(|error| InvalidRule::Pattern {
                pattern: pattern.to_owned(),
                reason: error.to_string(),
            })
    }

    pub fn matches(&self, text: &str) -> bool {
        match self {
            Text::Exact(exact) => exact == text,
            Text::Pattern(pattern) => pattern.is_match(text),
        }
    }

    /// Whether this is a pattern that may match only a part of a text.
    pub fn is_unanchored(&self) -> bool {
        matches!(self, Text::Pattern(pattern) if !is_anchored(pattern.as_str()))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        match self {
            Text::Exact(exact) => exact,
            Text::Pattern(pattern) => pattern.as_str(),
        }
    }
}

/// Whether every match covers the whole text; in `^a|b$` neither branch does.
fn is_anchored(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|parsed| {
        let properties = parsed.properties();
        properties.look_set_prefix().contains(Look::Start)
            && properties.look_set_suffix().contains(Look::End)
    })
}

#[cfg(test)]
mod tests;
