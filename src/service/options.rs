//! Turns the configuration into the options of the modules that it concerns.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Config, ConfigError, NetworkConfig, RegistryConfig};
use crate::file::{Links, read_text};
use crate::net;
use crate::registry::Mirrors;

/// Largest configuration file, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// Reads the file; without one, the defaults apply.
///
/// # Errors
///
/// [`ConfigError`] when it cannot be read or is not valid.
pub(super) fn read_config(path: &Path) -> Result<Config, ConfigError> {
    let text = read_text(path, MAX_CONFIG, Links::Follow);
    match text {
        Ok(text) => Config::parse(&text, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
        Err(source) => Err(ConfigError::Read {
            path: path.into(),
            source,
        }),
    }
}

/// The configured mirrors; relative paths start at `directory`, where the
/// configuration is.
pub(super) fn mirrors(config: &RegistryConfig, directory: &Path) -> Mirrors {
    let mut mirrors = Mirrors {
        hosts: config.mirrors.clone(),
        certs_dir: config.certs_dir.clone(),
    };
    mirrors.relative_to(directory);
    mirrors
}

/// Copies the configured values into the options; `root` is where the configuration
/// is.
pub(super) fn apply(config: &NetworkConfig, options: &mut net::Options, root: &Path) {
    let set = |target: &mut Duration, value: Option<Duration>| {
        if let Some(value) = value {
            *target = value;
        }
    };
    set(&mut options.retry_base, config.retry_base_ms);
    set(&mut options.retry_max, config.retry_max_ms);
    set(&mut options.connect_timeout, config.connect_timeout);
    set(&mut options.idle_timeout, config.idle_timeout);
    set(&mut options.transfer_timeout, config.transfer_timeout);
    options.retries = config.retries.unwrap_or(options.retries);
    options.min_speed = config.min_speed.unwrap_or(options.min_speed);
    let ca: Vec<PathBuf> = config.ca.iter().map(|file| root.join(file)).collect();
    options.ca_files = ca;
    options.insecure.clone_from(&config.insecure);
}
