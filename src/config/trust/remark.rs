//! Finds rules that may not do what their author means.

use std::cmp::Reverse;
use std::fmt;

use crate::text::printable;

use super::{Required, TrustRule};

/// A warning about valid rules. Each text is a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// The scopes overlap without one containing the other, and the rules differ.
    Cross {
        first: String,
        second: String,
        /// `None` if both decide.
        deciding: Option<String>,
    },
    /// A rule for a part of another rule's scope requires less than that rule.
    Looser { part: String, whole: String },
    /// A signature is required, but no trusted signer is given.
    Nobody { scope: String },
    /// Trusted signers are given, but no signature is required.
    UselessSigners { scope: String },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Cross {
                first,
                second,
                deciding,
            } => {
                let (first, second) = (printable(first), printable(second));
                write!(
                    f,
                    "the rules for `{first}` and `{second}` both cover some components; "
                )?;
                match deciding {
                    Some(one) => write!(f, "the one for `{}` decides there", printable(one)),
                    None => f.write_str("both must be met there"),
                }
            }
            Remark::Looser { part, whole } => write!(
                f,
                "the rule for `{}` requires less than the rule for `{}`, which it replaces there",
                printable(part),
                printable(whole)
            ),
            Remark::Nobody { scope } => write!(
                f,
                "the rule for `{}` lets nothing through: it requires a signature and names \
                 nobody who may make it",
                printable(scope)
            ),
            Remark::UselessSigners { scope } => write!(
                f,
                "the rule for `{}` names signers, whom nothing asks for: it does not require a \
                 signature",
                printable(scope)
            ),
        }
    }
}

/// The warnings about these rules.
pub fn remarks(rules: &[TrustRule]) -> Vec<Remark> {
    let mut deciding: Vec<&TrustRule> = rules.iter().filter(|one| one.require.is_some()).collect();
    deciding.sort_by_key(|rule| Reverse(rule.scope.specificity()));
    let mut remarks: Vec<Remark> = deciding.iter().filter_map(|rule| alone(rule)).collect();
    for (at, rule) in deciding.iter().enumerate() {
        let broader = &deciding[at + 1..];
        let mut wholes = broader.iter().filter(|one| one.scope.includes(&rule.scope));
        if let Some(whole) = wholes.next()
            && whole.require > rule.require
        {
            remarks.push(Remark::Looser {
                part: rule.scope.as_str().to_owned(),
                whole: whole.scope.as_str().to_owned(),
            });
        }
        let crossing = broader.iter().filter(|one| {
            one.scope.meets(&rule.scope)
                && !one.scope.includes(&rule.scope)
                && !ask_the_same(rule, one)
        });
        remarks.extend(crossing.map(|other| cross(rule, other)));
    }
    remarks
}

/// The warning about a single rule.
fn alone(rule: &TrustRule) -> Option<Remark> {
    let names_signers = !rule.identities.is_empty() || !rule.keys.is_empty();
    let scope = rule.scope.as_str().to_owned();
    match (rule.require, names_signers) {
        (Some(Required::Signature), false) => Some(Remark::Nobody { scope }),
        (Some(Required::Digest | Required::None), true) => Some(Remark::UselessSigners { scope }),
        _ => None,
    }
}

fn cross(rule: &TrustRule, other: &TrustRule) -> Remark {
    let decides = rule.scope.specificity() != other.scope.specificity();
    Remark::Cross {
        first: rule.scope.as_str().to_owned(),
        second: other.scope.as_str().to_owned(),
        deciding: decides.then(|| rule.scope.as_str().to_owned()),
    }
}

/// Whether both rules have the same effect.
fn ask_the_same(rule: &TrustRule, other: &TrustRule) -> bool {
    rule.require == other.require && rule.require != Some(Required::Signature)
}
