use std::io;
use std::path::PathBuf;

use crate::error::{Class, Diagnose};
use crate::policy::PolicyError;
use crate::reference::{ComponentId, Shown};
use crate::schema::rules::RuleFault;

/// Why something on disk could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("Failed to {action} `{}`", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "Another process{} holds the lock on `{}`, and does not respond",
        holder.map(|pid| format!(" ({pid})")).unwrap_or_default(), path.display()
    )]
    Locked {
        path: PathBuf,
        /// Its process id, where the system reports it.
        holder: Option<u32>,
    },
    #[error("Component `{id}` is not installed")]
    NotInstalled { id: ComponentId },
    #[error("The id `{id}` belongs to a component from `{owner}`")]
    IdTaken { id: ComponentId, owner: Shown },
    #[error("Component `{id}` is damaged: {reason}")]
    Damaged { id: ComponentId, reason: String },
    #[error("No previous version of `{id}` is kept")]
    NoPrevious { id: ComponentId },
    #[error("The previous version of `{id}` is damaged: {reason}")]
    PreviousDamaged { id: ComponentId, reason: String },
    #[error("The tool rules of `{id}` cannot be read, so none of its tools is offered")]
    Rules {
        id: ComponentId,
        path: PathBuf,
        source: io::Error,
    },
    #[error("The tool rules of `{id}` cannot be applied")]
    UnfitRules {
        id: ComponentId,
        faults: Vec<RuleFault>,
    },
    #[error("The policy of `{id}` cannot be read, so it grants nothing")]
    Policy {
        id: ComponentId,
        path: PathBuf,
        source: UnreadablePolicy,
    },
}

/// Why an installed policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnreadablePolicy {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Invalid(#[from] PolicyError),
    #[error("it or its directory belongs to another user, or others may change it")]
    Foreign,
}

impl StoreError {
    /// For `map_err`: records the action and the path.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.into();
        move |source| StoreError::Io {
            action,
            path,
            source,
        }
    }
}

impl Diagnose for StoreError {
    fn code(&self) -> &'static str {
        match self {
            StoreError::Io { .. } => "store-io",
            StoreError::Locked { .. } => "store-locked",
            StoreError::NotInstalled { .. } => "component-not-found",
            StoreError::IdTaken { .. } => "component-id-taken",
            StoreError::Damaged { .. } => "component-damaged",
            StoreError::NoPrevious { .. } => "no-previous-version",
            StoreError::PreviousDamaged { .. } => "previous-version-damaged",
            StoreError::Policy { .. } => "policy-damaged",
            StoreError::Rules { .. } => "tool-rules-damaged",
            StoreError::UnfitRules { .. } => "invalid-tool-rules",
        }
    }

    fn class(&self) -> Class {
        match self {
            StoreError::Io { .. } | StoreError::Locked { .. } => Class::Other,
            StoreError::NotInstalled { .. } | StoreError::NoPrevious { .. } => Class::NotFound,
            StoreError::IdTaken { .. } | StoreError::UnfitRules { .. } => Class::Usage,
            StoreError::Damaged { .. }
            | StoreError::PreviousDamaged { .. }
            | StoreError::Rules { .. }
            | StoreError::Policy { .. } => Class::Verification,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            StoreError::Io { .. } => None,
            StoreError::Locked {
                holder: Some(pid), ..
            } => Some(format!(
                "see what process {pid} is doing; the lock is free once it ends"
            )),
            StoreError::Locked { holder: None, .. } => Some(
                "find the process that has the file open; the lock is free once it ends".into(),
            ),
            StoreError::NotInstalled { .. } => {
                Some("`wassette list` shows what is installed".into())
            }
            StoreError::IdTaken { .. } => Some(
                "give the new component another id with `--name`, or unload the old one".into(),
            ),
            StoreError::Damaged { .. } => {
                Some("it is not served; load it again from its source to repair it".into())
            }
            StoreError::NoPrevious { .. } => Some(
                "one is kept when another version replaces it, until `unload` or `cache prune`"
                    .into(),
            ),
            StoreError::PreviousDamaged { .. } => {
                Some("load the version you want by its tag or digest".into())
            }
            StoreError::Policy {
                id,
                source: UnreadablePolicy::Foreign,
                ..
            } => Some(format!(
                "find out who wrote it, then start over with `wassette permission reset {id}`"
            )),
            StoreError::Rules { path, .. } => Some(format!(
                "repair `{}`, or apply the manifest again",
                path.display()
            )),
            StoreError::UnfitRules { .. } => Some(
                "nothing was changed; rules name tools and arguments as `wassette inspect` shows \
                 them before any renaming"
                    .into(),
            ),
            StoreError::Policy { id, path, .. } => Some(format!(
                "repair `{}`, or start over with `wassette permission reset {id}`",
                path.display()
            )),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            StoreError::UnfitRules { faults, .. } => {
                let faults = faults.iter();
                faults.map(|fault| ("rule", fault.to_string())).collect()
            }
            _ => Vec::new(),
        }
    }
}
