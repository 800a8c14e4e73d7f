//! `${VAR}` and `${VAR:-default}` in the values of a manifest.

use std::cell::RefCell;

use crate::policy::document::{Node, Placed};
use crate::policy::{Place, PolicyError};

/// Values shorter than this are not removed from messages: they are no secrets, and would match
/// anywhere.
const SHORTEST: usize = 4;

/// The variables that a manifest may use.
pub struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    /// The names and values of the expanded variables.
    used: RefCell<Vec<(String, String)>>,
}

impl<'a> Variables<'a> {
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Variables {
            get,
            used: RefCell::default(),
        }
    }

    /// Expands all values in place, once; keys are not expanded.
    pub(super) fn expand(&self, tree: &mut Placed) -> Result<(), PolicyError> {
        let at = tree.at;
        match &mut tree.node {
            Node::Text(text) if text.contains("${") => {
                *text = self
                    .expand_text(text)
                    .map_err(|problem| wrong(at, problem))?;
            }
            Node::List(items) => {
                for item in items {
                    self.expand(item)?;
                }
            }
            Node::Map(entries) => {
                for (_, value) in entries {
                    self.expand(value)?;
                }
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {}
        }
        Ok(())
    }

    /// Expands one text; `$${` stands for `${`.
    fn expand_text(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                expanded.push_str(before);
                expanded.push_str("${");
                rest = &from[2..];
                continue;
            }
            expanded.push_str(before);
            let Some((inner, after)) = from[2..].split_once('}') else {
                return Err("`${` has no `}` after it; write `$${` for these characters".into());
            };
            expanded.push_str(&self.value(inner)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn value(&self, inner: &str) -> Result<String, String> {
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(format!(
                "`${{{}}}` is not a variable: write `${{NAME}}` or `${{NAME:-default}}`",
                crate::text::line(inner)
            ));
        }
        let value = (self.get)(name);
        match (value, default) {
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (Some(value), _) => {
                let mut used = self.used.borrow_mut();
                used.push((name.to_owned(), value.clone()));
                Ok(value)
            }
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(format!(
                "the variable `{name}` is not set; set it, or give a default: \
                 `${{{name}:-default}}`"
            )),
        }
    }

    /// A message without the values of variables, which may be confidential.
    pub(super) fn hide(&self, message: &str) -> String {
        let mut hidden = message.to_owned();
        for (name, value) in self.used.borrow().iter() {
            if value.len() >= SHORTEST {
                hidden = hidden.replace(value, &format!("${{{name}}}"));
            }
        }
        hidden
    }
}

fn wrong(at: Place, problem: String) -> PolicyError {
    PolicyError::Invalid {
        at,
        path: String::new(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        let get = |name: &str| match name {
            "A" => Some("${B}".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        Variables::new(&get).expand_text(text)
    }

    #[test]
    fn a_value_is_expanded_once() {
        for (text, expanded) in [
            ("x-${A}-y", "x-${B}-y"),
            ("${NO:-d}${NO:-}", "d"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${NO:-a:-b}", "a:-b"),
            ("$A $ {A} $${A}", "$A $ {A} ${A}"),
            ("$${A}${A}", "${A}${B}"),
        ] {
            assert_eq!(expand(text).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn what_is_no_variable_is_an_error_that_names_it() {
        for (text, told) in [
            ("${NO}", "`NO` is not set"),
            ("${}", "`${}`"),
            ("${A B}", "`${A B}`"),
            ("${1}", "`${1}`"),
            ("${A", "has no `}`"),
        ] {
            let error = expand(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
