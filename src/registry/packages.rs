//! Finds the repository of a package as [`wkg`] does: by wkg's configuration file and by the
//! document that a package registry serves at a well-known address.
//!
//! [`wkg`]: https://github.com/bytecodealliance/wasm-pkg-tools

mod error;
#[cfg(test)]
mod tests;

pub use error::PackageError;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use http::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use super::{Client, Error, Transfer};
use crate::file::{Links, read_text};
use crate::net::{Authority, Request, RetryMode, may_lead};
use crate::reference::{OciReference, PackageReference, Reference};
use crate::text::Foreign;

const WELL_KNOWN: &str = "/.well-known/wasm-pkg/registry.json";
/// The name of the document in messages.
const DOCUMENT: &str = "the description of the package registry";
/// Largest accepted document, in bytes.
const LARGEST_DOCUMENT: usize = 64 << 10;
/// Largest accepted configuration file, in bytes.
const LARGEST_CONFIG: u64 = 1 << 20;
/// The only supported protocol.
const OCI: &str = "oci";
/// The registries that `wkg` uses for these namespaces without configuration.
const BUILT_IN: [(&str, &str); 2] = [("wasi", "wasi.dev"), ("ba", "bytecodealliance.org")];

/// The configuration of package registries. By default, only the registries
/// built into `wkg` are known.
#[derive(Debug, Clone, Default)]
pub struct PackageOptions {
    /// The configuration file of `wkg`, which may be missing; read at each lookup.
    pub config: Option<PathBuf>,
    /// The registry of all packages, which overrides the file.
    pub registry: Option<String>,
}

impl PackageOptions {
    /// Returns the options of the current user's `wkg`. Reads environment variables, but no files.
    pub fn of_the_user() -> Self {
        Self::from_variables(|name| std::env::var_os(name), std::env::home_dir())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let directory = path("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| home.map(|home| home.join(".config")));
        let usual = || Some(directory?.join("wasm-pkg/config.toml"));
        PackageOptions {
            config: path("WKG_CONFIG_FILE").or_else(usual),
            registry: variable("WKG_REGISTRY").map(|name| name.to_string_lossy().into_owned()),
        }
    }
}

/// The configuration file of `wkg`; unused keys are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    default_registry: Option<String>,
    namespace_registries: BTreeMap<String, Mapping>,
    package_registry_overrides: BTreeMap<String, Mapping>,
    registry: BTreeMap<String, Table>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "a host, or a table with `registry` and `metadata`"
)]
enum Mapping {
    /// A host that serves its description at a well-known address.
    Registry(String),
    Custom {
        registry: String,
        metadata: Description,
    },
}

/// The entry of one registry in the file.
#[derive(Debug, Default, Deserialize)]
struct Table {
    #[serde(alias = "type")]
    default: Option<String>,
    /// By protocol.
    #[serde(flatten)]
    settings: BTreeMap<String, toml::Value>,
}

/// The description of a registry, from its well-known address or from the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Description {
    preferred_protocol: Option<String>,
    oci_registry: Option<String>,
    oci_namespace_prefix: Option<String>,
    /// By protocol.
    #[serde(flatten)]
    protocols: BTreeMap<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Oci {
    registry: Option<String>,
    namespace_prefix: Option<String>,
}

impl Config {
    fn read(path: &Path) -> Result<Self, PackageError> {
        let text = match read_text(path, LARGEST_CONFIG, Links::Follow) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(source) => {
                let path = path.to_owned();
                return Err(PackageError::Read { path, source });
            }
            Ok(text) => text,
        };
        toml::from_str(&text).map_err(|source| PackageError::Config {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// Returns the registry of a package, with its description if the file has one.
    fn registry_of(&self, package: &PackageReference) -> Option<(String, Option<Description>)> {
        let namespace = package.namespace();
        let mapping = self
            .package_registry_overrides
            .get(&package.full_name())
            .or_else(|| self.namespace_registries.get(namespace));
        if let Some(mapping) = mapping {
            return Some(match mapping.clone() {
                Mapping::Registry(registry) => (registry, None),
                Mapping::Custom { registry, metadata } => (registry, Some(metadata)),
            });
        }
        let built_in = || {
            let mut known = BUILT_IN.into_iter();
            known.find_map(|(name, registry)| (name == namespace).then(|| registry.to_owned()))
        };
        let registry = self.default_registry.clone().or_else(built_in)?;
        Some((registry, None))
    }
}

impl Table {
    fn protocol(&self) -> Option<&str> {
        let only = || match self.settings.len() {
            1 => self.settings.keys().next().map(String::as_str),
            _ => None,
        };
        self.default.as_deref().or_else(only)
    }
}

impl Description {
    fn protocol(&self) -> Option<&str> {
        let only = || match self.protocols.len() {
            1 => self.protocols.keys().next().map(String::as_str),
            _ => None,
        };
        self.preferred_protocol.as_deref().or_else(only)
    }

    fn oci(&self) -> Result<Oci, String> {
        let own = self.protocols.get(OCI).cloned().map(serde_json::from_value);
        let own: Oci = own
            .transpose()
            .map_err(|error| error.to_string())?
            .unwrap_or_default();
        Ok(Oci {
            registry: self.oci_registry.clone().or(own.registry),
            namespace_prefix: self.oci_namespace_prefix.clone().or(own.namespace_prefix),
        })
    }
}

impl Client {
    /// Returns the repository of a package, with the tag `latest`.
    ///
    /// # Errors
    ///
    /// [`PackageError`], or the error of the request for the registry's description.
    pub(crate) async fn package_repository(
        &self,
        package: &PackageReference,
        transfer: &Transfer,
    ) -> Result<OciReference, Error> {
        let options = &self.options.packages;
        let config = match options.config.clone() {
            Some(path) => tokio::task::spawn_blocking(move || Config::read(&path))
                .await
                .map_err(|error| PackageError::Read {
                    path: PathBuf::new(),
                    source: io::Error::other(error),
                })??,
            None => Config::default(),
        };
        let found = match &options.registry {
            Some(registry) => Some((registry.clone(), None)),
            None => config.registry_of(package),
        };
        let (registry, known) = found.ok_or_else(|| PackageError::NoRegistry {
            namespace: package.namespace().to_owned(),
        })?;
        let unusable = |reason: String| PackageError::Description {
            registry: registry.clone(),
            reason,
        };
        let host = Authority::try_from(registry.clone()).map_err(unusable)?;
        let configured = config.registry.get(&registry).and_then(Table::protocol);
        // The registry's own description is requested only if it is used.
        if let Some(protocol) = configured.filter(|protocol| *protocol != OCI) {
            return Err(other_protocol(&registry, protocol));
        }
        let (description, address) = match known {
            Some(description) => (description, None),
            None => {
                let (description, address) = self.describe_registry(&host, transfer).await?;
                (description, Some(address))
            }
        };
        if configured.is_none()
            && let Some(protocol) = description.protocol().filter(|one| *one != OCI)
        {
            return Err(other_protocol(&registry, protocol));
        }
        let oci = description.oci().map_err(unusable)?;
        let oci_registry = oci.registry.unwrap_or_else(|| registry.clone());
        let prefix = oci.namespace_prefix.unwrap_or_default();
        let repository = format!("{prefix}{}/{}", package.namespace(), package.name());
        let reference = format!("oci://{oci_registry}/{repository}");
        match reference.parse() {
            Ok(Reference::Oci(located)) if located.repository() == repository => {
                let leads_here = address.is_some_and(|address| {
                    let there = Url::parse(&format!("https://{oci_registry}/"));
                    !there.is_ok_and(|there| may_lead(&address, &there))
                });
                match leads_here {
                    true => Err(unusable("it leads to this machine".into()).into()),
                    false => Ok(located),
                }
            }
            Ok(_) => {
                Err(unusable(format!("`{}` is no registry", Foreign::new(&*oci_registry))).into())
            }
            Err(error) => Err(unusable(error.reason().to_owned()).into()),
        }
    }

    /// Returns the description that a package registry serves, and its address. A host without a
    /// description is itself the OCI registry.
    async fn describe_registry(
        &self,
        host: &Authority,
        transfer: &Transfer,
    ) -> Result<(Description, Url), Error> {
        let name = host.as_str();
        let settings = self.options.mirrors.named(name)?;
        let scheme = match settings.is_plain(|| self.http.allows_plain(name)) {
            true => "http",
            false => "https",
        };
        let address = Url::parse(&format!("{scheme}://{name}{WELL_KNOWN}"));
        let address = address.map_err(|error| PackageError::Description {
            registry: name.to_owned(),
            reason: error.to_string(),
        })?;
        let request = Request {
            accept: Some("application/json"),
            access: settings.access,
            retry: RetryMode::Repeat,
            ..Request::new(Method::GET, address.clone())
        };
        let response = self.http.send(request, &transfer.meter).await?;
        let description = match response.status() {
            StatusCode::OK => {
                let bytes = response
                    .bytes(LARGEST_DOCUMENT, DOCUMENT, &transfer.meter)
                    .await?;
                serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                    // Some hosts answer every request with a web page.
                    tracing::warn!("`{address}` is no description of a registry: {error}");
                    Description::default()
                })
            }
            status if status.is_client_error() => Description::default(),
            _ => return Err(response.refused(DOCUMENT).await.into()),
        };
        Ok((description, address))
    }
}

fn other_protocol(registry: &str, protocol: &str) -> Error {
    PackageError::Protocol {
        registry: registry.to_owned(),
        protocol: protocol.into(),
    }
    .into()
}
