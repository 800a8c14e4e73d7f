//! Credentials for registries, and the order in which their sources are
//! searched.
//!
//! A broken source causes a warning and is skipped, so that public components
//! can still be pulled. Sources are read only when a registry requests
//! authentication.

mod docker;
mod environment;
mod helper;
mod keyring;
mod login_file;
mod options;
#[cfg(test)]
mod tests;
mod wkg;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::secret::Secret;
pub use helper::HelperError;
pub use keyring::Keyring;
pub use login_file::{LoginFile, LoginFileError, Place, Removed};
pub use options::{CredentialOptions, Given};

use docker::{Config, Entry};

/// A credential for a registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Credential {
    Password {
        username: String,
        secret: Secret,
    },
    /// An OAuth 2.0 refresh token, which `docker login` stores for some
    /// registries.
    IdentityToken(Secret),
    /// A bearer token that is sent to the registry as it is.
    RegistryToken(Secret),
}

/// Where a credential was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CredentialSource {
    /// `--username` of the command.
    CommandLine,
    /// The variable `WASSETTE_REGISTRY_AUTH`.
    Environment,
    /// `wassette login`.
    Login,
    /// A variable of `wkg`.
    Wkg(String),
    /// Docker's or podman's file.
    File(PathBuf),
    /// A credential helper, by its full program name.
    Helper(String),
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CredentialSource::CommandLine => f.write_str("the command line"),
            CredentialSource::Environment => f.write_str(environment::VARIABLE),
            CredentialSource::Login => f.write_str("`wassette login`"),
            CredentialSource::Wkg(variable) => f.write_str(variable),
            CredentialSource::File(path) => write!(f, "`{}`", path.display()),
            CredentialSource::Helper(name) => write!(f, "the credential helper `{name}`"),
        }
    }
}

/// A credential and its source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub credential: Credential,
    pub source: CredentialSource,
}

/// The repository for which credentials are searched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// `host[:port]`.
    pub registry: &'a str,
    /// Podman's files may have credentials for a part of a registry.
    pub repository: &'a str,
}

/// The credential files, each with the number of its credentials and helpers.
pub(super) fn files(options: &CredentialOptions) -> Vec<(PathBuf, io::Result<usize>)> {
    let login = options.login_file.iter().map(LoginFile::path);
    let paths = login.chain(options.config_files.iter().cloned());
    let registries = |config: Config| config.auths.len() + config.cred_helpers.len();
    paths
        .map(|path| {
            let read = Config::parse(&path).map(registries);
            (path, read)
        })
        .collect()
}

/// All sources of credentials, in order.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    options: CredentialOptions,
}

impl Credentials {
    pub fn new(options: CredentialOptions) -> Self {
        Credentials { options }
    }

    /// The first credential for a repository.
    pub async fn find(&self, wanted: Wanted<'_>) -> Option<Found> {
        if let Some(found) = self.given(wanted).or_else(|| self.environment(wanted)) {
            return Some(found);
        }
        if let Some(file) = &self.options.login_file
            && let Some(credential) = file.find(wanted, self.options.helper_timeout).await
        {
            let source = CredentialSource::Login;
            return Some(Found { credential, source });
        }
        if let Some(found) = wkg::find(&self.options.wkg_tokens, wanted) {
            return Some(found);
        }
        for path in &self.options.config_files {
            if let Some(found) = self.config_file(path, wanted).await {
                return Some(found);
            }
        }
        None
    }

    fn given(&self, wanted: Wanted<'_>) -> Option<Found> {
        let given = self.options.given.as_ref()?;
        let same = canonical_host(&given.registry) == canonical_host(wanted.registry);
        same.then(|| Found {
            credential: given.credential.clone(),
            source: CredentialSource::CommandLine,
        })
    }

    fn environment(&self, wanted: Wanted<'_>) -> Option<Found> {
        let text = self.options.registry_auth.as_ref()?;
        let credential = environment::find(text, wanted)?;
        let source = CredentialSource::Environment;
        Some(Found { credential, source })
    }

    /// Searches one file: the helper for the registry, the default helper, and
    /// the entries in the file itself.
    async fn config_file(&self, path: &Path, wanted: Wanted<'_>) -> Option<Found> {
        let config = Config::read(path)?;
        for name in config.helpers(wanted.registry) {
            let asked = helper::Asked {
                name,
                server: docker::server_name(wanted.registry),
                limit: self.options.helper_timeout,
            };
            match helper::ask(asked).await {
                Ok(Some(credential)) => {
                    let source = CredentialSource::Helper(helper::program(name));
                    return Some(Found { credential, source });
                }
                Ok(None) => {}
                Err(error) => tracing::warn!("{error}; looking for credentials elsewhere"),
            }
        }
        let credential = config.entry(wanted).and_then(Entry::credential)?;
        let source = CredentialSource::File(path.to_owned());
        Some(Found { credential, source })
    }
}

/// Maps the host names of Docker Hub to `docker.io`, and any name to lower
/// case.
pub(crate) fn canonical_host(registry: &str) -> String {
    let registry = registry.to_ascii_lowercase();
    match registry.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => {
            "docker.io".to_owned()
        }
        _ => registry,
    }
}
