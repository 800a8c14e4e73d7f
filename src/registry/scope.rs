//! What a token is for.

use std::fmt;

/// What is done in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Actions {
    Pull,
    /// Uploading; it includes looking at what is there.
    Push,
    Delete,
}

/// A repository at its host and what is done there, as [token servers][spec]
/// write it: `repository:acme/weather:pull`.
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
