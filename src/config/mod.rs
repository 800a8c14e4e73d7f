//! Parser of a root's `config.toml`. Callers read the file and apply the
//! settings.

mod agents;
mod quantity;
mod source;
mod tools;
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

pub use agents::{AgentsConfig, InvalidSourcePattern, SourcePattern};
pub use source::Source;
pub use tools::ToolsConfig;
pub(crate) use trust::WrittenRule;
pub use trust::{
    Identity, InvalidRule, KeySource, Remark, Required, Scope, Text, TrustConfig, TrustRule,
    remarks,
};

/// The operator's settings. All keys are optional; unknown keys are errors.
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

/// Settings of the server that `wassette serve` starts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Largest message of a client, over HTTP or stdio, in bytes.
    #[serde(deserialize_with = "quantity::some_bytes")]
    pub max_body: Option<NonZeroUsize>,
    /// Bytes of answers that clients have not read yet, all together.
    #[serde(deserialize_with = "quantity::some_bytes")]
    pub answer_memory: Option<NonZeroUsize>,
}

/// Settings for the policies in artifacts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    pub bundled: BundledPolicy,
}

/// What to do with the permissions that a component requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BundledPolicy {
    /// Ask the user; if there is none, grant nothing.
    #[default]
    Ask,
    /// Grant them when the component is first loaded.
    Apply,
    /// Do not ask and grant nothing.
    Ignore,
}

/// Settings of the HTTP client. For `None`, the default of
/// [`net::Options`](crate::net::Options) applies.
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
    /// PEM files of certificate authorities; relative to the configuration
    /// file.
    pub ca: Vec<PathBuf>,
    /// Hosts whose certificates are not checked.
    pub insecure: Vec<Authority>,
    pub require_digest: Digests,
}

/// Whether components from web servers need a digest to be loaded.
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

/// Settings of the registry client.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// Hosts to which plain HTTP is allowed.
    pub plain_http: Vec<Authority>,
    /// The mirrors of each registry, in the order in which they are asked.
    pub mirrors: BTreeMap<RegistryName, Vec<Host>>,
    /// The directory with containerd's `<registry>/hosts.toml` files.
    pub certs_dir: Option<PathBuf>,
    /// How long a credential helper may take.
    #[serde(deserialize_with = "quantity::seconds")]
    pub helper_timeout: Option<Duration>,
}

/// Resource limits. For `None`, the server's default applies.
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
    /// Most concurrent background compilations.
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
    /// Parses the text of a configuration file. `path` is used in errors. A
    /// leading byte order mark is skipped.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] if the text is not TOML, or has an unknown key
    /// or an invalid value.
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
                    component_size = 9\n[registry]\nhelper_timeout = \"1500ms\"\n\
                    [server]\nmax_body = 8388608\nanswer_memory = \"64Mi\"\n";
        let Config {
            network,
            limits,
            registry,
            server,
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
        assert_eq!(server.max_body, NonZeroUsize::new(8 << 20));
        assert_eq!(server.answer_memory, NonZeroUsize::new(64 << 20));
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
            ("[server]\nmax_body = 0", "as in `4Mi`"),
            ("[server]\nanswer_memory = 0", "as in `4Mi`"),
            ("[server]\nanswer_memory = \"much\"", "as in `512Mi`"),
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
