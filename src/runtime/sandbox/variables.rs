//! The environment variables of a component, which may change while its policy does
//! not.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::Sandbox;
use crate::secret::Redactor;

/// Variables with their values, and a redactor for the secret ones. Cheap to clone.
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

/// The source of a component's variables.
pub trait Variables: fmt::Debug + Send + Sync {
    /// Returns the variables as they are now. Called at most once per call, when the guest first
    /// needs them; may block to read a small file.
    fn current(&self) -> Environment;

    /// Returns the redactor of the variables that the last call of [`Variables::current`]
    /// returned.
    fn redactor(&self) -> Redactor;
}

/// Fixed variables.
impl Variables for Environment {
    fn current(&self) -> Environment {
        self.clone()
    }

    fn redactor(&self) -> Redactor {
        self.redactor.clone()
    }
}

/// One call's view of its variables: they are read once, when the guest first needs
/// them, and then stay the same for the call.
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

    /// Returns the value of a granted variable.
    pub fn variable(&self, key: &str) -> Option<&str> {
        let mut granted = self.granted();
        granted.find_map(|(name, value)| (name == key).then_some(value))
    }

    /// Returns all granted variables. Which one the guest wanted is not known.
    pub fn list(&self) -> Vec<(String, String)> {
        self.listed.store(true, Ordering::Relaxed);
        self.granted()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    pub fn was_listed(&self) -> bool {
        self.listed.load(Ordering::Relaxed)
    }

    /// Returns a redactor with the current secrets, for text of a guest that may now learn its
    /// variables.
    pub fn renewed_redactor(&self) -> &Redactor {
        &self.environment().redactor
    }

    /// Returns the redactor for the guest's text: of the variables it saw, or else the last known.
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
