//! Opens the service for a command.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, Global};
use crate::error::{Class, Diagnose};
use crate::mcp;
use crate::net::Network;
use crate::registry::{CredentialOptions, Given, PackageOptions};
use crate::service::{Audience, Service, ServiceOptions};

/// Whether a command may run in a root that was typed and does not exist.
///
/// Only a command that puts something in the root makes it. For all others, a root that
/// is missing is a mistake: they would run without its components and configuration.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Root {
    MayBeNew,
    #[default]
    Exists,
}

/// The settings with which a command opens the service.
#[derive(Default)]
pub(super) struct Opening {
    pub root: Root,
    /// Another root to use, with the configuration and logins of this one.
    pub scratch: Option<PathBuf>,
    /// Replaces the configured time limit.
    pub call_timeout: Option<Duration>,
    /// Credentials for one registry.
    pub given: Option<Given>,
    /// Certificate authorities to trust in addition.
    pub ca: Vec<PathBuf>,
    /// The server's own files, which no grant includes.
    pub withheld: Vec<PathBuf>,
    /// From where agents can reach the server.
    pub audience: Audience,
}

impl Global {
    /// Opens the service on the root.
    pub(super) fn open(&self, opening: Opening) -> Result<Arc<Service>, Failure> {
        let root = self.root()?;
        // A root from the environment may be created later.
        if opening.root == Root::Exists && self.root_is_typed() && !root.is_dir() {
            return Err(SetupError::NoRoot { root }.into());
        }
        let (root, settings) = match opening.scratch {
            Some(scratch) => (scratch, Some(root)),
            None => (root, None),
        };
        let options = ServiceOptions {
            root,
            settings,
            compiler: compiler()?,
            reserved: mcp::RESERVED_NAMES.map(str::to_owned).into(),
            call_timeout: opening.call_timeout,
            network: if self.offline {
                Network::Off
            } else {
                Network::On
            },
            credentials: CredentialOptions {
                given: opening.given,
                ..CredentialOptions::of_the_user()
            },
            packages: PackageOptions::of_the_user(),
            ca_files: opening.ca,
            withheld: opening.withheld,
            audience: opening.audience,
        };
        Ok(Service::open(options)?)
    }

    /// Whether the root was named on the command line.
    fn root_is_typed(&self) -> bool {
        let root = self.root.as_ref().map(|root| root.as_os_str());
        root.is_some() && std::env::var_os("WASSETTE_ROOT").as_deref() != root
    }

    pub(super) fn root(&self) -> Result<PathBuf, SetupError> {
        match &self.root {
            Some(root) => std::path::absolute(root).map_err(SetupError::Executable),
            None => std::env::home_dir()
                .filter(|home| home.is_absolute())
                .map(|home| home.join(".wassette"))
                .ok_or(SetupError::NoHome),
        }
    }
}

/// The program to run as a compiler: this one. On Linux this is the running image,
/// even after an upgrade has replaced its file.
fn compiler() -> Result<PathBuf, SetupError> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe().map_err(SetupError::Executable)
}

/// The reason why the program could not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("There is no home directory to keep components in")]
    NoHome,
    #[error("There is no root `{}`", root.display())]
    NoRoot { root: PathBuf },
    #[error("The program cannot find itself or its working directory")]
    Executable(#[source] std::io::Error),
    #[error("Cannot create a temporary root to try components in")]
    Scratch(#[source] std::io::Error),
    #[error("Failed to start the asynchronous runtime")]
    Runtime(#[source] std::io::Error),
}

impl Diagnose for SetupError {
    fn code(&self) -> &'static str {
        match self {
            SetupError::NoRoot { .. } => "root-not-found",
            _ => "setup-failed",
        }
    }

    fn class(&self) -> Class {
        match self {
            SetupError::NoRoot { .. } => Class::NotFound,
            _ => Class::Other,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            SetupError::NoHome => Some("name a directory with `--root` or WASSETTE_ROOT".into()),
            SetupError::NoRoot { .. } => {
                Some("`wassette load`, `apply`, `serve` and `login` make a root that is new".into())
            }
            _ => None,
        }
    }
}
