//! Scopes of tokens.

use std::fmt;

/// The actions that a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Actions {
    Pull,
    /// Uploads, including checks of what exists.
    Push,
    Delete,
}

/// A repository at its host with the allowed actions, in the syntax of [token
/// servers][spec]: `repository:acme/weather:pull`.
///
/// [spec]: https://distribution.github.io/distribution/spec/auth/scope/
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub repository: String,
    pub actions: Actions,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actions = match self.actions {
            Actions::Pull => "pull",
            Actions::Push => "pull,push",
            Actions::Delete => "pull,delete",
        };
        write!(f, "repository:{}:{actions}", self.repository)
    }
}
