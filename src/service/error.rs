use std::sync::Arc;

use crate::error::{Class, Diagnose};
use crate::fetch::FetchError;
use crate::policy::{Permission, PolicyError};
use crate::reference::{ComponentId, InvalidComponentId, InvalidReference};
use crate::registry::LoginError;
use crate::runtime::{CallError, CompileError};
use crate::schema::SchemaError;
use crate::store::{SecretError, StoreError};
use crate::verify::VerifyError;

use super::config::ConfigError;

/// Why a verb failed: the error of the stage that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Id(#[from] InvalidComponentId),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Compile(#[from] Arc<CompileError>),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("There is no tool `{name}`")]
    UnknownTool { name: String, similar: Vec<String> },
    #[error(
        "Components from web servers are loaded by digest only (`require_digest` in config.toml)"
    )]
    DigestRequired,
    #[error("`{id}` was not granted to {permission}")]
    NotGranted {
        id: ComponentId,
        permission: Box<Permission>,
        /// What it is granted.
        granted: Vec<Permission>,
    },
    #[error("It would allow `{id}` nothing to grant it to {permission}: {reason}")]
    FutileGrant {
        id: ComponentId,
        permission: Box<Permission>,
        reason: String,
    },
    #[error("`{id}` is no longer the component that the user was asked about")]
    ComponentChanged { id: ComponentId },
    #[error("A worker ended before its time")]
    Worker(#[from] tokio::task::JoinError),
}

impl Error {
    fn stage(&self) -> Option<&dyn Diagnose> {
        Some(match self {
            Error::Config(error) => error,
            Error::Reference(error) => error,
            Error::Id(error) => error,
            Error::Fetch(error) => error,
            Error::Login(error) => error,
            Error::Verify(error) => error,
            Error::Schema(error) => error,
            Error::Policy(error) => error,
            Error::Store(error) => error,
            Error::Secret(error) => error,
            Error::Compile(error) => error.as_ref(),
            Error::Call(error) => error,
            Error::UnknownTool { .. }
            | Error::DigestRequired
            | Error::NotGranted { .. }
            | Error::FutileGrant { .. }
            | Error::ComponentChanged { .. }
            | Error::Worker(_) => return None,
        })
    }
}

impl Diagnose for Error {
    fn code(&self) -> &'static str {
        match self {
            Error::UnknownTool { .. } => "unknown-tool",
            Error::DigestRequired => "digest-required",
            Error::NotGranted { .. } => "permission-not-granted",
            Error::FutileGrant { .. } => "futile-grant",
            Error::ComponentChanged { .. } => "component-changed",
            _ => self.stage().map_or("internal", Diagnose::code),
        }
    }

    fn class(&self) -> Class {
        match self {
            Error::UnknownTool { .. } | Error::NotGranted { .. } => Class::NotFound,
            Error::FutileGrant { .. } => Class::Usage,
            Error::DigestRequired | Error::ComponentChanged { .. } => Class::Verification,
            _ => self.stage().map_or(Class::Other, Diagnose::class),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownTool { similar, .. } if similar.is_empty() => {
                Some("`wassette list` shows what is installed".into())
            }
            Error::UnknownTool { similar, .. } => {
                Some(format!("did you mean `{}`?", similar.join("` or `")))
            }
            Error::DigestRequired => {
                Some("give the digest with `--digest`, or as `#sha256=…` in the address".into())
            }
            Error::NotGranted { id, granted, .. } if granted.is_empty() => {
                Some(format!("nothing is granted to `{id}`"))
            }
            Error::NotGranted { id, .. } => {
                Some(format!("`wassette policy get {id}` shows what is granted"))
            }
            Error::ComponentChanged { .. } => {
                Some("nothing was granted; whoever wants this must ask about it anew".into())
            }
            _ => self.stage().and_then(Diagnose::hint),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        self.stage().map(Diagnose::facts).unwrap_or_default()
    }
}
