//! The variables of a component, which may change while its policy stays.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::Sandbox;
use crate::secret::Redactor;

/// Variables and their values, and what takes the secret ones out of a text.
/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Environment {
    pub variables: Arc<[(String, String)]>,
    pub redactor: Redactor,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variables.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

/// Where a component's variables come from.
pub trait Variables: fmt::Debug + Send + Sync {
    /// As they are now. Asked at most once in a call, when its guest first
    /// needs them; may block for as long as it takes to read a small file.
    fn current(&self) -> Environment;

    /// That of those that some call last asked for.
    fn redactor(&self) -> Redactor;
}

/// Variables that stay as they are.
impl Variables for Environment {
    fn current(&self) -> Environment {
        self.clone()
    }

    fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }
}

/// One call's look at its variables: what a guest saw stays as it is. A guest
/// that never looks costs nothing, and has no secret that is newer than those
/// that are known.
#[derive(Debug)]
pub(in crate::runtime) struct Look {
    sandbox: Sandbox,
    seen: OnceLock<Environment>,
    listed: AtomicBool,
}

impl Look {
    pub fn new(sandbox: &Sandbox) -> Self {
        Look {
            sandbox: sandbox.clone(),
            seen: OnceLock::new(),
            listed: AtomicBool::new(false),
        }
    }

    /// The value of a granted variable.
    pub fn variable(&self, key: &str) -> Option<&str> {
        let mut granted = self.granted();
        granted.find_map(|(name, value)| (name == key).then_some(value))
    }

    /// All that are granted. Which one a guest was after cannot be told.
    pub fn list(&self) -> Vec<(String, String)> {
        self.listed.store(true, Ordering::Relaxed);
        self.granted()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    pub fn was_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }

    /// What cleans the guest's words from now on, for one that may be about to
    /// learn its variables.
    pub fn renewed_redactor(&self) -> &Redactor {
        &self.environment().redactor
    }

    /// What cleans the guest's words.
    pub fn redactor(&self) -> Redactor {
        match self.seen.get() {
            Some(seen) => seen.redactor.clone(),
            None => self.sandbox.variables().redactor(),
        }
    }

    fn granted(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.environment().variables.iter();
        variables
            .filter(|(name, _)| self.sandbox.grants_variable(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn environment(&self) -> &Environment {
        let variables = self.sandbox.variables();
        self.seen.get_or_init(|| variables.current())
    }
}
