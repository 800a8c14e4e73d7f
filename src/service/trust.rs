//! `trust`: shows the rules of the configuration, and which of them apply to a component.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::config::{Required, TrustRule, remarks};
use crate::digest::Digest;
use crate::reference::{Reference, Shown};

use super::{Error, Service};

/// The rules of the configuration.
#[derive(Debug, Serialize)]
pub struct TrustReport {
    pub rules: Vec<RuleReport>,
    /// Warnings about rules that may not do what their author meant.
    pub remarks: Vec<String>,
}

/// One rule.
#[derive(Debug, Serialize)]
pub struct RuleReport {
    pub scope: String,
    /// `None` if the rule only denies digests.
    pub require: Option<Required>,
    pub signers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_root: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Digest>,
}

/// The requirements for one component.
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub reference: Shown,
    /// The rules whose scope covers the component, the most specific first.
    pub rules: Vec<CoveringRule>,
    /// The requirements, all of which must be met.
    pub required: Vec<String>,
    /// Digests that every rule's `deny` refuses, from any source.
    pub denied: Vec<Digest>,
}

/// A rule whose scope covers a component.
#[derive(Debug, Serialize)]
pub struct CoveringRule {
    #[serde(flatten)]
    pub rule: RuleReport,
    pub decides: bool,
    pub reason: String,
}

impl Service {
    pub fn trust_rules(&self) -> TrustReport {
        let rules = self.installer.rules.trust.all();
        TrustReport {
            rules: rules.iter().map(RuleReport::of).collect(),
            remarks: self.trust_remarks(),
        }
    }

    /// Warnings about rules that may not do what their author meant.
    pub fn trust_remarks(&self) -> Vec<String> {
        let remarks = remarks(self.installer.rules.trust.all());
        remarks.iter().map(ToString::to_string).collect()
    }

    /// The rules that apply to a component, those that decide, and their requirements. A package
    /// is looked up; nothing is fetched.
    ///
    /// # Errors
    ///
    /// When the blocking task is cancelled or panics.
    pub async fn explain_trust(
        self: &Arc<Self>,
        reference: &Reference,
    ) -> Result<Explanation, Error> {
        let located = self.installer.fetcher.locate(reference).await;
        let reference = &located.map_err(crate::install::Error::from)?;
        let trust = &self.installer.rules.trust;
        let governing = self.installer.governing(reference, None).await?;
        let sources = self.installer.sources(reference).await?;
        let mut rules: Vec<CoveringRule> = Vec::new();
        for rule in sources.iter().flat_map(|source| trust.covering(source)) {
            let scope = rule.scope.as_str();
            if rules.iter().any(|one| one.rule.scope == scope) {
                continue;
            }
            let decides = governing.iter().any(|one| one.scope == rule.scope);
            rules.push(CoveringRule {
                rule: RuleReport::of(rule),
                decides,
                reason: reason(decides, &governing),
            });
        }
        let required = match governing.is_empty() {
            true => vec![without_rule(reference).to_owned()],
            false => governing
                .iter()
                .map(|rule| required(rule, reference))
                .collect(),
        };
        let denied = trust.all().iter().flat_map(|rule| &rule.deny);
        Ok(Explanation {
            reference: reference.shown(),
            rules,
            required,
            denied: denied.copied().collect(),
        })
    }
}

impl RuleReport {
    fn of(rule: &TrustRule) -> Self {
        let identities = rule.identities.iter().map(ToString::to_string);
        let keys = rule.keys.iter().map(ToString::to_string);
        RuleReport {
            scope: rule.scope.as_str().to_owned(),
            require: rule.require,
            signers: identities.chain(keys).collect(),
            trusted_root: rule.trusted_root.clone(),
            deny: rule.deny.clone(),
        }
    }
}

fn reason(decides: bool, governing: &[TrustRule]) -> String {
    let scopes = governing.iter().map(|rule| rule.scope.as_str());
    match (decides, governing) {
        (true, [_]) => "its scope is the most specific".into(),
        (true, _) => "its scope is one of the most specific; all of these rules must be met".into(),
        (false, _) => {
            let scopes: Vec<String> = scopes.map(|scope| format!("`{scope}`")).collect();
            format!("the scope {} is more specific", scopes.join(" or "))
        }
    }
}

fn required(rule: &TrustRule, reference: &Reference) -> String {
    let report = RuleReport::of(rule);
    match rule.require {
        Some(Required::Signature) if report.signers.is_empty() => {
            "a signature, but no trusted signer is given: nothing passes".into()
        }
        Some(Required::Signature) => {
            format!("a signature by {}", report.signers.join(", or by "))
        }
        Some(Required::Digest) if reference.is_pinned() => {
            "a digest, which the reference has".into()
        }
        Some(Required::Digest) => {
            "a digest, which the reference does not have: it passes with `--digest` alone".into()
        }
        Some(Required::None) | None => "nothing: a signature is reported if there is one".into(),
    }
}

fn without_rule(reference: &Reference) -> &'static str {
    match reference {
        Reference::Oci(_) => {
            "nothing, since no rule is about it: a signature is reported if there is one"
        }
        _ => "nothing, since no rule is about it: no signature is looked for",
    }
}
