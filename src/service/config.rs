//! `config.toml` of a root.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Class, Diagnose};
use crate::fetch::{Host, Mirrors, RegistryName};

/// What the operator set; every key may be left out, an unknown one is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub registry: RegistryConfig,
    pub limits: LimitsConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// Hosts (`host[:port]`) that may be spoken to without TLS.
    pub plain_http: Vec<String>,
    /// The hosts asked for the content of a registry, in their order.
    pub mirrors: BTreeMap<RegistryName, Vec<Host>>,
    /// Directory of containerd's `hosts.toml` directories.
    pub certs_dir: Option<PathBuf>,
}

impl RegistryConfig {
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
    /// The largest component to accept, in bytes.
    pub component_size: Option<u64>,
}

impl LimitsConfig {
    pub fn call_timeout(&self) -> Option<Duration> {
        self.call_timeout.map(Duration::from_secs)
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
