//! `config.toml` of a root: text in, [`Config`] out. Reading the file is its
//! user's work, and so is putting what it says in force.

mod agents;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Class, Diagnose};
use crate::net::Authority;
use crate::registry::{Host, RegistryName};
use crate::schema::NameLength;

pub use agents::{AgentsConfig, InvalidSourcePattern, SourcePattern};

/// What the operator set. Every key may be left out; an unknown one is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub registry: RegistryConfig,
    pub limits: LimitsConfig,
    pub network: NetworkConfig,
    pub policy: PolicyConfig,
    pub server: ServerConfig,
    pub agents: AgentsConfig,
    pub tools: ToolsConfig,
}

/// How the tools of components are offered.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolsConfig {
    /// The most characters of the names that tools get from now on.
    pub name_length: NameLength,
}

/// The limits of the server that `wassette serve` starts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Bytes that one message of a client may have.
    pub max_body: Option<NonZeroUsize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    pub bundled: BundledPolicy,
}

/// What becomes of the permissions that a component asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BundledPolicy {
    /// The user is asked; without one, nothing is granted.
    #[default]
    Ask,
    /// Granted when the component is first loaded.
    Apply,
    /// Nobody is asked and nothing is granted.
    Ignore,
}

/// What is left out has the default of the network options.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    pub retries: Option<u32>,
    /// Milliseconds before the first retry.
    pub retry_base_ms: Option<u64>,
    /// Milliseconds of the longest pause.
    pub retry_max_ms: Option<u64>,
    /// Seconds until a connection is up.
    pub connect_timeout: Option<u64>,
    /// Seconds a server may stay silent.
    pub idle_timeout: Option<u64>,
    /// Seconds one transfer may take.
    pub transfer_timeout: Option<u64>,
    /// Bytes per second of the slowest transfer accepted.
    pub min_speed: Option<u64>,
    /// PEM files; relative ones are beside the configuration.
    pub ca: Vec<PathBuf>,
    /// Hosts whose certificates are not checked.
    pub insecure: Vec<Authority>,
    pub require_digest: Digests,
}

/// Whether components from web servers are loaded without a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "bool")]
pub enum Digests {
    #[default]
    Optional,
    Required,
}

impl From<bool> for Digests {
    fn from(required: bool) -> Self {
        if required {
            Digests::Required
        } else {
            Digests::Optional
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// Hosts that may be spoken to without TLS.
    pub plain_http: Vec<Authority>,
    /// The hosts asked for the content of a registry, in their order.
    pub mirrors: BTreeMap<RegistryName, Vec<Host>>,
    /// Directory of containerd's `hosts.toml` directories.
    pub certs_dir: Option<PathBuf>,
    /// Seconds a credential helper may take.
    pub helper_timeout: Option<u64>,
}

impl RegistryConfig {
    pub fn helper_timeout(&self) -> Option<Duration> {
        self.helper_timeout.map(Duration::from_secs)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Seconds one call may take.
    pub call_timeout: Option<u64>,
    /// Bytes of memory one instance may use.
    pub memory: Option<u64>,
    /// Seconds for which code stays in memory after a call.
    pub idle: Option<u64>,
    /// Bytes of memory all running instances together may use.
    pub total_memory: Option<u64>,
    /// Compilers that run at once in the background.
    pub compile_jobs: Option<NonZeroUsize>,
    /// The largest component to accept, in bytes.
    pub component_size: Option<u64>,
}

impl LimitsConfig {
    pub fn call_timeout(&self) -> Option<Duration> {
        self.call_timeout.map(Duration::from_secs)
    }

    pub fn idle(&self) -> Option<Duration> {
        self.idle.map(Duration::from_secs)
    }
}

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("Failed to read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is not a valid configuration", path.display())]
    Invalid {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
}

impl Diagnose for ConfigError {
    fn code(&self) -> &'static str {
        "invalid-config"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        matches!(self, ConfigError::Invalid { .. })
            .then(|| "the keys are listed in docs/configuration.md".into())
    }
}

impl Config {
    /// Parses the text of the file at `path`, which errors name. A byte order
    /// mark at its beginning is passed over.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] when it is not TOML, or has an unknown key or a
    /// wrong value.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        toml::from_str(text).map_err(|source| ConfigError::Invalid {
            path: path.into(),
            source: Box::new(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_windows_is_read() {
        let text = "\u{feff}[limits]\r\nmemory = 1024\r\n";
        let config = Config::parse(text, Path::new("config.toml")).unwrap();
        assert_eq!(config.limits.memory, Some(1024));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_file() {
        let error = Config::parse("[limits]\nmemry = 1\n", Path::new("a/config.toml"));
        let error = error.unwrap_err();
        assert!(error.to_string().contains("a/config.toml"), "{error}");
        assert_eq!(error.code(), "invalid-config");
    }
}
