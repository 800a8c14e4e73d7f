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

/// Bytes of a compiled pattern: an identity needs no more.
const MAX_PATTERN: usize = 1 << 20;

/// All rules, no two of which decide about the same scope.
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

/// What is asked of the components of one scope.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "WrittenRule")]
pub struct TrustRule {
    pub scope: Scope,
    /// None for a rule that only denies digests: another rule then says what
    /// is required.
    pub require: Option<Required>,
    /// Signers with a certificate, any of which will do.
    pub identities: Vec<Identity>,
    /// Public keys, any of which will do; relative files are beside the
    /// configuration.
    pub keys: Vec<KeySource>,
    /// In place of Sigstore's own; a relative one is beside the configuration.
    pub trusted_root: Option<PathBuf>,
    /// Digests that are never loaded.
    pub deny: Vec<Digest>,
}

/// What a component needs to be loaded.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Required {
    /// Nothing.
    None,
    /// It was asked for by digest.
    Digest,
    /// One of the rule's signers signed it.
    Signature,
}

/// Where a public key is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum KeySource {
    /// A PEM file.
    File(PathBuf),
    /// The text of one, in the rule itself.
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

/// Whose signature a component needs; the scope of a rule in a manifest is its
/// component.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Trust")]
pub(crate) struct WrittenRule {
    #[schemars(skip)]
    scope: Scope,
    /// `signature`; `digest`: it is asked for by digest; `none`.
    #[schemars(with = "Option<Required>")]
    require: Option<Required>,
    /// Signers with a certificate, any of which will do.
    #[serde(default)]
    #[schemars(with = "Option<Vec<WrittenIdentity>>")]
    identities: Vec<Identity>,
    /// Public keys, any of which will do: PEM files beside the file that names
    /// them, or their text.
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

/// Why a rule makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRule {
    #[error(
        "`{0}` is no scope: it is `*`, or a registry and the beginning of a repository such as \
         `ghcr.io/acme/*`, or an address such as `https://example.com/tools/*` or \
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
    #[error("`{pattern}` is no pattern: {reason}")]
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
    /// A rule about one component alone, of the keys that a rule has besides its
    /// scope. Its relative paths begin at `directory`.
    ///
    /// # Errors
    ///
    /// When the keys are no rule.
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

    /// Whether it names files of this machine.
    pub(crate) fn names_files(&self) -> bool {
        let mut keys = self.keys.iter();
        self.trusted_root.is_some() || keys.any(|key| matches!(key, KeySource::File(_)))
    }
}

impl KeySource {
    /// The same with a file's path from this directory.
    #[must_use]
    pub fn at(self, directory: &Path) -> Self {
        match self {
            KeySource::File(file) => KeySource::File(directory.join(file)),
            KeySource::Pem(text) => KeySource::Pem(text),
        }
    }
}

/// A signer with a certificate: both texts must match.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "WrittenIdentity")]
pub struct Identity {
    /// Who vouched for the subject: an OpenID Connect issuer.
    pub issuer: Text,
    /// Whom the certificate names: an address of mail or of a workflow.
    pub subject: Text,
}

/// A text that must be met.
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
    /// An anchored regular expression for it.
    #[serde(alias = "issuer_regex")]
    issuer_regex: Option<String>,
    /// Whom the certificate names.
    subject: Option<String>,
    /// An anchored regular expression for it.
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
    /// [`InvalidRule::Unanchored`] when it may match a part of one.
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
    /// [`InvalidRule::Pattern`] when it is no regular expression.
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

    /// A pattern that may match a part of a text.
    pub fn is_unanchored(&self) -> bool {
        matches!(self, Text::Pattern(pattern) if !is_anchored(pattern.as_str()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Text::Exact(exact) => exact,
            Text::Pattern(pattern) => pattern.as_str(),
        }
    }
}

/// Whether every match is of a whole text: in `^a|b$` neither branch is.
fn is_anchored(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|parsed| {
        let properties = parsed.properties();
        properties.look_set_prefix().contains(Look::Start)
            && properties.look_set_suffix().contains(Look::End)
    })
}

#[cfg(test)]
mod tests;
