use crate::catalog::InvalidCatalog;
use crate::config::ConfigError;
use crate::error::{Class, Diagnosis, Layered};
use crate::install;
use crate::manifest::ManifestError;
use crate::policy::Permission;
use crate::publish::SignError;
use crate::reference::{ComponentId, InvalidComponentId, InvalidReference, Shown};
use crate::registry::LoginError;
use crate::runtime::CallError;
use crate::schema::rules::FixedArgument;
use crate::store::{SecretError, StoreError};
use crate::text::Foreign;

/// Why a command failed: a reason of its own, or the error of a lower layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Id(#[from] InvalidComponentId),
    #[error(transparent)]
    Install(#[from] install::Error),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    FixedArgument(#[from] FixedArgument),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("There is no tool `{name}`")]
    UnknownTool { name: Foreign, similar: Vec<String> },
    #[error("`{id}` was not granted to {permission}")]
    NotGranted {
        id: ComponentId,
        permission: Box<Permission>,
        /// The permissions it has.
        granted: Vec<Permission>,
    },
    #[error("A grant to {permission} would have no effect for `{id}`: {reason}")]
    FutileGrant {
        id: ComponentId,
        permission: Box<Permission>,
        reason: String,
    },
    #[error("`{id}` is no longer the component that the user was asked about")]
    ComponentChanged { id: ComponentId },
    #[error("Agents may not load components from `{source_shown}`")]
    SourceNotAllowed { source_shown: Shown },
    #[error("`{source_shown}` is not a component that agents may load")]
    NotForAgents { source_shown: Shown },
    #[error(transparent)]
    Catalog(#[from] InvalidCatalog),
    #[error("The catalog `{source_shown}` was not added")]
    UnknownCatalog { source_shown: Shown },
    #[error("A worker thread panicked")]
    Worker(#[from] tokio::task::JoinError),
}

impl Layered for Error {
    fn diagnosis(&self) -> Diagnosis<'_> {
        use Diagnosis::{Below, Own};
        match self {
            Error::Config(error) => Below(error),
            Error::Reference(error) => Below(error),
            Error::Id(error) => Below(error),
            Error::Install(error) => Below(error),
            Error::Manifest(error) => Below(error),
            Error::Login(error) => Below(error),
            Error::Store(error) => Below(error),
            Error::Secret(error) => Below(error),
            Error::Call(error) => Below(error),
            Error::FixedArgument(_) => Own("invalid-arguments", Class::Usage),
            Error::Sign(error) => Below(error),
            Error::UnknownTool { .. } => Own("unknown-tool", Class::NotFound),
            Error::NotGranted { .. } => Own("permission-not-granted", Class::NotFound),
            Error::FutileGrant { .. } => Own("futile-grant", Class::Usage),
            Error::ComponentChanged { .. } => Own("component-changed", Class::Verification),
            Error::SourceNotAllowed { .. } => Own("source-not-allowed", Class::Usage),
            Error::NotForAgents { .. } => Own("not-for-agents", Class::NotFound),
            Error::Catalog(error) => Below(error),
            Error::UnknownCatalog { .. } => Own("unknown-catalog", Class::NotFound),
            Error::Worker(_) => Own("internal", Class::Other),
        }
    }

    fn own_hint(&self) -> Option<String> {
        match self {
            Error::UnknownTool { similar, .. } if similar.is_empty() => {
                Some("`wassette list` shows what is installed".into())
            }
            Error::UnknownTool { similar, .. } => {
                Some(format!("did you mean `{}`?", similar.join("` or `")))
            }
            Error::NotGranted { id, granted, .. } if granted.is_empty() => {
                Some(format!("nothing is granted to `{id}`"))
            }
            Error::NotGranted { id, .. } => {
                Some(format!("`wassette policy get {id}` shows what is granted"))
            }
            Error::UnknownCatalog { .. } => {
                Some("`wassette registry update` shows those that were".into())
            }
            Error::ComponentChanged { .. } => {
                Some("nothing was granted; whoever wants this must ask about it anew".into())
            }
            Error::SourceNotAllowed { .. } => Some(
                "only the operator can change that: `[agents] sources` in config.toml lists what \
                 agents may load"
                    .into(),
            ),
            Error::NotForAgents { .. } => Some(
                "the server's log says why; `[agents] sources` in config.toml lists what agents \
                 may load"
                    .into(),
            ),
            _ => None,
        }
    }
}
