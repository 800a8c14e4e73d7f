//! `config.toml` of a root.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Class, Diagnose};
use crate::net::{self, Authority};
use crate::registry::{Host, Mirrors, RegistryName};

/// What the operator set; every key may be left out, an unknown one is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub registry: RegistryConfig,
    pub limits: LimitsConfig,
    pub network: NetworkConfig,
    pub policy: PolicyConfig,
    pub agents: AgentsConfig,
}

/// What agents may do over MCP.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentsConfig {
    /// Whether `call-tool` is offered, which calls any tool of a component.
    pub call_tool: bool,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        AgentsConfig { call_tool: true }
    }
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

/// What is left out has the default of [`net::Options`].
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

impl NetworkConfig {
    /// Puts what is set into the options; `root` is where the configuration is.
    pub fn apply(&self, options: &mut net::Options, root: &Path) {
        let set = |target: &mut Duration, value: Option<Duration>| {
            if let Some(value) = value {
                *target = value;
            }
        };
        let (seconds, millis) = (Duration::from_secs, Duration::from_millis);
        set(&mut options.retry_base, self.retry_base_ms.map(millis));
        set(&mut options.retry_max, self.retry_max_ms.map(millis));
        set(
            &mut options.connect_timeout,
            self.connect_timeout.map(seconds),
        );
        set(&mut options.idle_timeout, self.idle_timeout.map(seconds));
        set(
            &mut options.transfer_timeout,
            self.transfer_timeout.map(seconds),
        );
        options.retries = self.retries.unwrap_or(options.retries);
        options.min_speed = self.min_speed.unwrap_or(options.min_speed);
        options.ca_files = self.ca.iter().map(|file| root.join(file)).collect();
        options.insecure.clone_from(&self.insecure);
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

    /// The mirrors; relative paths begin at `directory`, that of the configuration.
    pub fn mirrors(&self, directory: &Path) -> Mirrors {
        let mut mirrors = Mirrors {
            hosts: self.mirrors.clone(),
            certs_dir: self.certs_dir.clone(),
        };
        mirrors.relative_to(directory);
        mirrors
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
    /// Reads the file; without one, every default holds.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it cannot be read or has an unknown key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => {
                return Err(ConfigError::Read {
                    path: path.into(),
                    source,
                });
            }
        };
        toml::from_str(&text).map_err(|source| ConfigError::Invalid {
            path: path.into(),
            source: Box::new(source),
        })
    }
}
