//! The trust rules of the configuration, as they are applied.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use crate::config::{Identity, Required, Source, TrustRule};
use crate::digest::Digest;

use super::Trust;
use super::signature::{Demand, PublicKey, Root, Roots, Signers, TrustError, Wanted};

/// The trust rules, with the signers of each.
#[derive(Default)]
pub struct TrustRules {
    rules: Vec<TrustRule>,
    /// The directory that relative paths start from.
    directory: PathBuf,
    roots: Roots,
}

/// The signers that a command accepts.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    pub identity: Option<Identity>,
    /// PEM files of public keys.
    pub keys: Vec<PathBuf>,
    /// A `trusted_root.json` in place of Sigstore's public one.
    pub trusted_root: Option<PathBuf>,
}

impl Expectation {
    fn demand(&self) -> Result<Demand, TrustError> {
        let keys = self.keys.iter().map(|file| PublicKey::read(file));
        Ok(Demand {
            signers: Signers::Of {
                identities: self.identity.clone().into_iter().collect(),
                keys: keys.collect::<Result<_, _>>()?,
            },
            trusted_root: self.trusted_root.clone(),
            not_before: None,
            wanted: Wanted::Command,
        })
    }
}

impl TrustRules {
    /// The rules of the configuration in `directory`. Files are read when a
    /// component needs them.
    pub fn new(rules: Vec<TrustRule>, directory: &Path) -> Self {
        TrustRules {
            rules,
            directory: directory.to_owned(),
            roots: Roots::default(),
        }
    }

    /// All rules, as the configuration has them.
    pub fn all(&self) -> &[TrustRule] {
        &self.rules
    }

    /// The rules whose scope covers the source and that have a requirement (which may be `none`),
    /// the most specific first.
    pub fn covering(&self, source: &Source) -> Vec<&TrustRule> {
        let covering = self.rules.iter().filter(|rule| {
            // A rule that only denies digests leaves the decision to other rules.
            rule.require.is_some() && rule.scope.covers(source)
        });
        let mut covering: Vec<&TrustRule> = covering.collect();
        covering.sort_by_key(|rule| Reverse(rule.scope.specificity()));
        covering
    }

    /// The rules that decide about a component: the most specific one, or several if they are
    /// equally specific.
    pub fn governing(&self, source: &Source) -> Vec<&TrustRule> {
        let mut covering = self.covering(source);
        if let Some(first) = covering.first() {
            let most = first.scope.specificity();
            covering.retain(|rule| rule.scope.specificity() == most);
        }
        covering
    }

    /// Refuses a component with a denied digest.
    ///
    /// # Errors
    ///
    /// When a rule denies one of the digests. The scope of that rule does not matter, because the
    /// same bytes may come from anywhere. `own` is a rule for this component only.
    pub fn admit(
        &self,
        digests: impl IntoIterator<Item = Digest>,
        own: Option<&TrustRule>,
    ) -> Result<(), TrustError> {
        for digest in digests {
            let mut rules = self.rules.iter().chain(own);
            if let Some(rule) = rules.find(|rule| rule.deny.contains(&digest)) {
                return Err(TrustError::Denied {
                    digest,
                    scope: rule.scope.as_str().to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The signatures that the rules and the command require.
    ///
    /// # Errors
    ///
    /// When a key cannot be read.
    pub fn demands(
        &self,
        rules: &[TrustRule],
        expected: Option<&Expectation>,
    ) -> Result<Vec<Demand>, TrustError> {
        let rules = rules.iter();
        let rules = rules.filter(|rule| rule.require == Some(Required::Signature));
        let demands = rules.map(|rule| self.demand(rule));
        demands.chain(expected.map(Expectation::demand)).collect()
    }

    /// Reads the keys and the trust root of a rule.
    ///
    /// # Errors
    ///
    /// When one of them is unusable.
    pub fn check(&self, rule: &TrustRule) -> Result<(), TrustError> {
        let demand = self.demand(rule)?;
        self.root(demand.trusted_root.as_deref()).map(drop)
    }

    fn demand(&self, rule: &TrustRule) -> Result<Demand, TrustError> {
        let keys = rule
            .keys
            .iter()
            .map(|key| PublicKey::of(key, &self.directory));
        let root = rule.trusted_root.as_ref();
        Ok(Demand {
            signers: Signers::Of {
                identities: rule.identities.clone(),
                keys: keys.collect::<Result<_, _>>()?,
            },
            trusted_root: root.map(|file| self.directory.join(file)),
            not_before: None,
            wanted: Wanted::Rule(rule.scope.as_str().to_owned()),
        })
    }

    /// Returns the trust root of a demand.
    ///
    /// # Errors
    ///
    /// When the demand's own trust root is unusable.
    pub fn root(&self, trusted_root: Option<&Path>) -> Result<Root, TrustError> {
        Ok(self.roots.get(trusted_root)?)
    }

    /// Whether a previously trusted component is still trusted.
    ///
    /// # Errors
    ///
    /// When a key cannot be read.
    pub fn still_trust(
        &self,
        trust: &Trust,
        rules: &[TrustRule],
        expected: Option<&Expectation>,
    ) -> Result<bool, TrustError> {
        let demands = self.demands(rules, expected)?;
        Ok(demands.iter().all(|demand| {
            let signer = trust.signer();
            signer.is_some_and(|signer| demand.signers.include(&signer.id))
        }))
    }
}
