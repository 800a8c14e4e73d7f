//! `config.toml` of a root: text in, [`Config`] out. Reading the file is its
//! user's work, and so is putting what it says in force.

mod agents;
mod quantity;
mod trust;

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
pub use trust::{Identity, InvalidRule, Required, Scope, Text, TrustConfig, TrustRule};

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
    pub trust: TrustConfig,
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
    /// The pause before the first retry.
    #[serde(deserialize_with = "quantity::millis")]
    pub retry_base_ms: Option<Duration>,
    /// The longest pause.
    #[serde(deserialize_with = "quantity::millis")]
    pub retry_max_ms: Option<Duration>,
    /// How long a connection may take to come up.
    #[serde(deserialize_with = "quantity::seconds")]
    pub connect_timeout: Option<Duration>,
    /// How long a server may stay silent.
    #[serde(deserialize_with = "quantity::seconds")]
    pub idle_timeout: Option<Duration>,
    /// How long one transfer may take.
    #[serde(deserialize_with = "quantity::seconds")]
    pub transfer_timeout: Option<Duration>,
    /// Bytes per second of the slowest transfer accepted.
    #[serde(deserialize_with = "quantity::bytes")]
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
    /// How long a credential helper may take.
    #[serde(deserialize_with = "quantity::seconds")]
    pub helper_timeout: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// How long one call may take.
    #[serde(deserialize_with = "quantity::seconds")]
    pub call_timeout: Option<Duration>,
    /// Bytes of memory one instance may use.
    #[serde(deserialize_with = "quantity::bytes")]
    pub memory: Option<u64>,
    /// How long code stays in memory after a call.
    #[serde(deserialize_with = "quantity::seconds")]
    pub idle: Option<Duration>,
    /// Bytes of memory all running instances together may use.
    #[serde(deserialize_with = "quantity::bytes")]
    pub total_memory: Option<u64>,
    /// Compilers that run at once in the background.
    pub compile_jobs: Option<NonZeroUsize>,
    /// The largest component to accept, in bytes.
    #[serde(deserialize_with = "quantity::bytes")]
    pub component_size: Option<u64>,
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
    fn times_and_sizes_have_a_unit_or_that_of_the_key() {
        let text = "[network]\nretry_base_ms = \"2s\"\nretry_max_ms = 500\nidle_timeout = 7\n\
                    [limits]\ncall_timeout = \"90s\"\nidle = \"5m\"\nmemory = \"512Mi\"\n\
                    component_size = 9\n[registry]\nhelper_timeout = \"1500ms\"\n";
        let Config {
            network,
            limits,
            registry,
            ..
        } = Config::parse(text, Path::new("config.toml")).unwrap();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(network.retry_base_ms, ms(2000));
        assert_eq!(network.retry_max_ms, ms(500));
        assert_eq!(network.idle_timeout, ms(7000));
        assert_eq!(network.connect_timeout, None);
        assert_eq!(limits.call_timeout, ms(90_000));
        assert_eq!(limits.idle, ms(300_000));
        assert_eq!(limits.memory, Some(512 << 20));
        assert_eq!(limits.component_size, Some(9));
        assert_eq!(registry.helper_timeout, ms(1500));
    }

    #[test]
    fn what_is_no_time_or_size_is_told_with_its_form() {
        for (line, told) in [
            ("call_timeout = \"30\"", "as in `30m`"),
            ("call_timeout = \"soon\"", "as in `30m`"),
            ("call_timeout = -1", "as in `30s` or `500ms`"),
            ("call_timeout = 1.5", "as in `30s` or `500ms`"),
            ("call_timeout = \"99999999999999999w\"", "a duration"),
            ("memory = \"lots\"", "as in `512Mi`"),
            ("memory = -1", "as in `512Mi`"),
        ] {
            let text = format!("[limits]\n{line}\n");
            let error = Config::parse(&text, Path::new("config.toml")).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(told), "{line}: {cause}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_file() {
        let error = Config::parse("[limits]\nmemry = 1\n", Path::new("a/config.toml"));
        let error = error.unwrap_err();
        assert!(error.to_string().contains("a/config.toml"), "{error}");
        assert_eq!(error.code(), "invalid-config");
    }
}
