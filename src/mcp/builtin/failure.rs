//! Why a tool of the server failed.

use crate::error::{Class, Diagnose};
use crate::reference::InvalidReference;
use crate::service::Error;

use super::Builtin;

/// Why a built-in tool failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::mcp) enum Failure {
    #[error("Invalid arguments for `{}`: {fault}", tool.name())]
    Arguments { tool: Builtin, fault: String },
    #[error("The tool `{}` is switched off", tool.name())]
    Disabled { tool: Builtin, option: &'static str },
    #[error("The user declined this")]
    Declined,
    #[error("The user was asked, and no answer came back: {fault}")]
    Unanswered {
        fault: String,
        /// What a person can type to grant it.
        command: String,
    },
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Service(#[from] Error),
}

impl Diagnose for Failure {
    fn code(&self) -> &'static str {
        match self {
            Failure::Arguments { .. } => "invalid-arguments",
            Failure::Disabled { .. } => "tool-disabled",
            Failure::Declined | Failure::Unanswered { .. } => "declined",
            Failure::Reference(error) => error.code(),
            Failure::Service(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Failure::Arguments { .. } | Failure::Disabled { .. } => Class::Usage,
            Failure::Declined | Failure::Unanswered { .. } => Class::Other,
            Failure::Reference(error) => error.class(),
            Failure::Service(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Failure::Arguments { .. } => Some("see the tool's inputSchema".into()),
            Failure::Disabled { option, .. } => Some(format!(
                "`{option}` switches it off; only the operator of the server can change that"
            )),
            Failure::Declined => Some("nothing was changed; do not ask again unasked".into()),
            Failure::Unanswered { command, .. } => Some(format!(
                "nothing was changed; if the user wants this, they can run `{command}`"
            )),
            Failure::Reference(error) => error.hint(),
            Failure::Service(error) => error.hint(),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Failure::Arguments { .. }
            | Failure::Disabled { .. }
            | Failure::Declined
            | Failure::Unanswered { .. } => Vec::new(),
            Failure::Reference(error) => error.facts(),
            Failure::Service(error) => error.facts(),
        }
    }
}
