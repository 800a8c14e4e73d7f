//! Sources of credentials.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::{Credential, LoginFile, Secret, environment, wkg};

/// The sources of credentials. The default has none: every pull is anonymous.
#[derive(Debug, Clone)]
pub struct CredentialOptions {
    /// From the command line, for one registry only.
    pub given: Option<Given>,
    /// The text of `WASSETTE_REGISTRY_AUTH`.
    pub registry_auth: Option<Secret>,
    /// The bearer tokens that `wkg` takes from variables, by variable.
    pub wkg_tokens: BTreeMap<String, Secret>,
    /// The file of `wassette login`.
    pub login_file: Option<LoginFile>,
    /// Docker's and podman's files, in the order in which they are read.
    pub config_files: Vec<PathBuf>,
    /// Time limit for a credential helper.
    pub helper_timeout: Duration,
}

/// A credential and the registry (`host[:port]`) that it is for.
#[derive(Debug, Clone)]
pub struct Given {
    pub registry: String,
    pub credential: Credential,
}

impl Default for CredentialOptions {
    fn default() -> Self {
        CredentialOptions {
            given: None,
            registry_auth: None,
            wkg_tokens: BTreeMap::new(),
            login_file: None,
            config_files: Vec::new(),
            helper_timeout: Duration::from_secs(20),
        }
    }
}

impl CredentialOptions {
    /// The sources of the current user. Reads environment variables, but no
    /// files.
    pub fn of_the_user() -> Self {
        CredentialOptions {
            wkg_tokens: wkg::tokens(std::env::vars_os()),
            ..Self::from_variables(|name| std::env::var_os(name), std::env::home_dir())
        }
    }

    /// The files are those of [docker] and [podman].
    ///
    /// [docker]: https://docs.docker.com/reference/cli/docker/#configuration-files
    /// [podman]: https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
    pub(super) fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let docker = path("DOCKER_CONFIG").or_else(|| below_home(".docker"));
        let docker = docker.map(|dir| dir.join("config.json"));
        let podman = match path("REGISTRY_AUTH_FILE") {
            Some(file) => vec![file],
            None => [
                path("XDG_RUNTIME_DIR"),
                path("XDG_CONFIG_HOME").or_else(|| below_home(".config")),
            ]
            .into_iter()
            .flatten()
            .map(|dir| dir.join("containers/auth.json"))
            .collect(),
        };
        let text = variable(environment::VARIABLE);
        CredentialOptions {
            registry_auth: text.map(|text| text.to_string_lossy().into_owned().into()),
            config_files: docker.into_iter().chain(podman).collect(),
            ..CredentialOptions::default()
        }
    }
}
