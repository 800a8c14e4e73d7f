use std::io;
use std::path::PathBuf;

use crate::error::{Class, Diagnose};
use crate::reference::ComponentId;

use super::{MAX_KEYS, MAX_TOTAL, MAX_VALUE, SecretKey};

/// Why secrets could not be read or changed. Never contains their values.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("`{}` cannot be the name of a secret", .text.escape_debug())]
    Key { text: String },
    #[error("There is no value for `{key}`")]
    Empty { key: SecretKey },
    #[error("The value of `{key}` contains a NUL character")]
    Nul { key: SecretKey },
    #[error("The value of `{key}` is longer than {} KiB", MAX_VALUE >> 10)]
    TooLarge { key: SecretKey },
    #[error("A component has at most {MAX_KEYS} secrets of {} KiB in all", MAX_TOTAL >> 10)]
    TooMany,
    #[error("Component `{id}` has no secret {}", listed(keys))]
    NotFound {
        id: ComponentId,
        keys: Vec<SecretKey>,
    },
    #[error("`{}` is not used: {reason}", path.display())]
    Exposed { path: PathBuf, reason: Exposure },
    #[error("`{}` does not hold secrets: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("Failed to {action} `{}`", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// The reason why other users could access secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    #[error("other users may read or change it")]
    Mode,
    #[error("it belongs to another user")]
    Owner,
    #[error("it is not a regular file")]
    Kind,
}

impl SecretError {
    /// For `map_err`: records the action and the path.
    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> SecretError {
        let path = path.into();
        move |source| SecretError::Io {
            action,
            path,
            source,
        }
    }
}

fn listed(keys: &[SecretKey]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    quoted.join(", ")
}

impl Diagnose for SecretError {
    fn code(&self) -> &'static str {
        match self {
            SecretError::Key { .. } => "invalid-secret-key",
            SecretError::Empty { .. } => "missing-secret-value",
            SecretError::Nul { .. } => "invalid-secret-value",
            SecretError::TooLarge { .. } | SecretError::TooMany => "secret-too-large",
            SecretError::NotFound { .. } => "secret-not-found",
            SecretError::Exposed { .. } => "secrets-exposed",
            SecretError::Damaged { .. } => "secrets-damaged",
            SecretError::Io { .. } => "secrets-io",
        }
    }

    fn class(&self) -> Class {
        match self {
            SecretError::Key { .. }
            | SecretError::Empty { .. }
            | SecretError::Nul { .. }
            | SecretError::TooLarge { .. }
            | SecretError::TooMany => Class::Usage,
            SecretError::NotFound { .. } => Class::NotFound,
            SecretError::Exposed { .. } => Class::Verification,
            SecretError::Damaged { .. } | SecretError::Io { .. } => Class::Other,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            SecretError::Key { .. } => {
                "a name can contain only letters, digits, `_`, `-` and `.`, and must not begin with a digit"
                    .into()
            }
            SecretError::Empty { .. } => "without a terminal, give it on standard input: \
                 `printf %s \"$VALUE\" | wassette secret set ID KEY`"
                .into(),
            SecretError::NotFound { id, .. } => {
                format!("`wassette secret list {id}` shows the names")
            }
            SecretError::Exposed { path, reason } => match reason {
                Exposure::Mode => format!(
                    "`chmod go= {}` removes the access of other users; then treat the secrets \
                     as leaked and set new ones",
                    path.display()
                ),
                _ => "find out who created it and remove it; `wassette secret set` then creates a new one"
                    .into(),
            },
            SecretError::Damaged { .. } => "remove the file and set the secrets again".into(),
            SecretError::Nul { .. }
            | SecretError::TooLarge { .. }
            | SecretError::TooMany
            | SecretError::Io { .. } => return None,
        })
    }
}
