//! Errors of the built-in tools.

use crate::catalog::InvalidSource;
use crate::error::{Class, Diagnosis, Layered};
use crate::service::Error;
use crate::store::StoreError;

use super::Builtin;

/// The reason why a built-in tool failed.
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
        /// The shell command that gives the grant.
        command: String,
    },
    #[error(transparent)]
    Source(#[from] InvalidSource),
    #[error(transparent)]
    Service(#[from] Error),
}

impl Layered for Failure {
    fn diagnosis(&self) -> Diagnosis<'_> {
        use Diagnosis::{Below, Own};
        match self {
            Failure::Arguments { .. } => Own("invalid-arguments", Class::Usage),
            Failure::Disabled { .. } => Own("tool-disabled", Class::Usage),
            Failure::Declined | Failure::Unanswered { .. } => Own("declined", Class::Other),
            Failure::Source(error) => Below(error),
            Failure::Service(error) => Below(error),
        }
    }

    fn own_hint(&self) -> Option<String> {
        let hint = match self {
            Failure::Arguments { .. } => "see the tool's inputSchema",
            Failure::Disabled { option, .. } => {
                return Some(format!(
                    "`{option}` switches it off; only the operator of the server can change that"
                ));
            }
            Failure::Declined => "nothing was changed; do not ask again unasked",
            Failure::Unanswered { command, .. } => {
                return Some(format!(
                    "nothing was changed; if the user wants this, they can run `{command}`"
                ));
            }
            // Below, these name commands, which agents cannot run.
            Failure::Service(Error::UnknownTool { similar, .. }) if similar.is_empty() => {
                "`tools/list` has the tools that there are; `list-components` shows what is \
                 installed, `search-components` what can be loaded"
            }
            Failure::Service(Error::Store(StoreError::NotInstalled { .. })) => {
                "`list-components` shows what is installed"
            }
            Failure::Service(Error::NotGranted { granted, .. }) if !granted.is_empty() => {
                "`get-policy` shows what is granted"
            }
            Failure::Source(InvalidSource::Name(name)) if name.similar().is_empty() => {
                "`search-components` shows what the catalog has; a file is given by its whole path"
            }
            Failure::Source(_) | Failure::Service(_) => return None,
        };
        Some(hint.to_owned())
    }
}
