//! The scope of a rule.

use serde::Deserialize;

use crate::reference::Reference;

use super::InvalidRule;
use crate::config::source::{Pattern, Scheme, Source};

/// The components that a rule applies to: those of a registry or host, or below a path.
///
/// `ghcr.io/acme`, `ghcr.io/acme/*` and `ghcr.io/acme/**` are the same: the
/// repository and all below it. A `*` before the end stands for one segment;
/// one that begins a host stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope {
    /// The scope as written.
    text: String,
    /// `None` for all components.
    pattern: Option<Pattern>,
}

impl TryFrom<String> for Scope {
    type Error = InvalidRule;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if matches!(&*text, "*" | "**") {
            let pattern = None;
            return Ok(Scope { text, pattern });
        }
        let (scheme, path) = Scheme::split(&text).unwrap_or((Scheme::Oci, &text));
        let below = path
            .strip_suffix("/**")
            .or_else(|| path.strip_suffix("/*"))
            .unwrap_or(path);
        let odd = |(at, segment): (usize, &str)| {
            let stars = segment.matches('*').count();
            let begins_host = at == 0 && segment.starts_with("*.") && stars == 1;
            // There, a tag or digest follows.
            let may_name_version = match scheme {
                Scheme::Oci => at > 0,
                Scheme::Layout => true,
                Scheme::Https | Scheme::Http | Scheme::File | Scheme::Package => false,
            };
            let names_version = may_name_version && segment.contains([':', '@']);
            names_version
                || segment.contains(char::is_whitespace)
                || stars > 0 && segment != "*" && !begins_host
        };
        let pattern = match below.split('/').enumerate().any(odd) {
            true => None,
            false => Pattern::parse(scheme, below),
        };
        match pattern {
            Some(pattern) => Ok(Scope {
                text,
                pattern: Some(pattern.and_below()),
            }),
            None => Err(InvalidRule::Scope(text)),
        }
    }
}

impl Scope {
    /// The scope of one component.
    pub(super) fn of_one(reference: &Reference) -> Self {
        let text = reference.shown().to_string();
        let pattern = Some(Pattern::of(&Source::of(reference)));
        Scope { text, pattern }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether both cover the same components.
    pub fn is_same(&self, other: &Scope) -> bool {
        self.pattern == other.pattern
    }

    /// Whether it covers everything that the other covers.
    pub fn includes(&self, other: &Scope) -> bool {
        match (&self.pattern, &other.pattern) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => own.includes(other),
        }
    }

    /// Whether both may cover the same component.
    pub fn meets(&self, other: &Scope) -> bool {
        match (&self.pattern, &other.pattern) {
            (Some(own), Some(other)) => own.meets(other),
            _ => true,
        }
    }

    /// Whether the component from this source is in the scope.
    pub fn covers(&self, source: &Source) -> bool {
        let pattern = self.pattern.as_ref();
        pattern.is_none_or(|pattern| pattern.covers(source))
    }

    /// Orders the scopes that cover one source: the greatest is the most specific. `None` for the
    /// scope of all components, otherwise the number of segments and bytes that the pattern names.
    pub fn specificity(&self) -> Option<(usize, usize)> {
        self.pattern.as_ref().map(Pattern::specificity)
    }
}
