//! The mirrors of registries, and the order in which hosts are asked.
//!
//! They are configured per registry in `config.toml`, or in the `hosts.toml`
//! files of [containerd][hosts].
//!
//! [hosts]: https://github.com/containerd/containerd/blob/main/docs/hosts.md

mod certificates;
mod containerd;
mod one_or_more;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::net::{Access, Authority, Certificate, DialTimeout};
pub use containerd::InvalidHosts;
use one_or_more::OneOrMore;

/// The entry for all registries without an entry of their own.
const DEFAULT: &str = "_default";
/// Docker Hub's API is at another host than the one in its references.
pub(super) const DOCKER: &str = "docker.io";
pub(super) const DOCKER_HOST: &str = "registry-1.docker.io";

/// The configured hosts of registries.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    /// The hosts of each registry, in the order in which they are asked.
    pub hosts: BTreeMap<RegistryName, Vec<Host>>,
    /// The directory with containerd's `<registry>/hosts.toml` files; read at
    /// each load.
    pub certs_dir: Option<PathBuf>,
}

/// A host that serves the content of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Entry")]
pub struct Host {
    pub host: Authority,
    /// The root of its API if it is not `/v2`, such as `/v2/ghcr-proxy`.
    pub path: Option<ApiPath>,
    /// The requests that the host is trusted with. By default both for the registry itself, and
    /// only [`Capability::Pull`] for a mirror, so that a mirror cannot change the digest of a tag.
    pub capabilities: Option<Vec<Capability>>,
    /// Whether to use plain HTTP. `None` applies the general rule for its name.
    pub plain_http: Option<bool>,
    pub access: Access,
}

/// A host in `config.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    host: Authority,
    path: Option<ApiPath>,
    capabilities: Option<Vec<Capability>>,
    plain_http: Option<bool>,
    ca: Option<OneOrMore>,
    client_cert: Option<Certificate>,
    dial_timeout: Option<DialTimeout>,
}

impl From<Entry> for Host {
    fn from(entry: Entry) -> Self {
        Host {
            host: entry.host,
            path: entry.path,
            capabilities: entry.capabilities,
            plain_http: entry.plain_http,
            access: Access {
                ca: entry.ca.map(Vec::from).unwrap_or_default(),
                client_cert: entry.client_cert,
                dial_timeout: entry.dial_timeout,
            },
        }
    }
}

/// A kind of request that a host may be trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Content by digest, which can be checked.
    Pull,
    /// The digest of a tag, which cannot be checked.
    Resolve,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::Pull => "for the content (`pull`)",
            Capability::Resolve => "for the tags (`resolve`)",
        })
    }
}

impl Host {
    /// The registry itself.
    fn upstream(registry: &str) -> Self {
        Host {
            host: Authority::of_registry(registry),
            path: None,
            capabilities: None,
            plain_http: None,
            access: Access::default(),
        }
    }

    /// Whether this is the registry itself rather than a mirror of it.
    pub(super) fn is(&self, registry: &str) -> bool {
        let host = self.host.as_str();
        host == registry || (registry == DOCKER && host == DOCKER_HOST)
    }

    /// Whether to use plain HTTP; `usual` is the general rule for the host's
    /// name. A host with configured certificates uses HTTPS.
    pub(super) fn is_plain(&self, usual: impl FnOnce() -> bool) -> bool {
        self.plain_http
            .unwrap_or_else(|| !self.access.names_certificates() && usual())
    }

    /// Whether the host has the capability for content of `registry`.
    pub(super) fn can(&self, capability: Capability, registry: &str) -> bool {
        match &self.capabilities {
            Some(capabilities) => capabilities.contains(&capability),
            None => capability == Capability::Pull || self.is(registry),
        }
    }
}

impl Mirrors {
    /// Resolves relative paths against `directory`.
    pub fn relative_to(&mut self, directory: &Path) {
        if let Some(certs_dir) = &mut self.certs_dir {
            *certs_dir = directory.join(&*certs_dir);
        }
        for host in self.hosts.values_mut().flatten() {
            host.access.relative_to(directory);
        }
    }

    /// The hosts to ask for the content of `registry` (`host[:port]`), in
    /// order. The registry itself is last unless it is listed elsewhere.
    ///
    /// # Errors
    ///
    /// If a `hosts.toml` cannot be read.
    pub(super) fn of(&self, registry: &str) -> Result<Vec<Host>, InvalidHosts> {
        for name in [registry, DEFAULT] {
            if let Some(hosts) = self.listed(name) {
                let hosts = hosts.to_vec();
                return Ok(ending_with(Host::upstream(registry), hosts, registry));
            }
            if let Some(file) = self.file(name)? {
                return Ok(file.hosts(registry));
            }
        }
        Ok(vec![Host::upstream(registry)])
    }

    /// The settings of a host (`host[:port]`) that is addressed by its own
    /// name: those of it as a registry, or else as a mirror.
    ///
    /// # Errors
    ///
    /// If its own `hosts.toml` cannot be read.
    pub(super) fn named(&self, name: &str) -> Result<Host, InvalidHosts> {
        let own = self.of(name)?;
        let described = |host: &Host| {
            host.is(name) && (host.plain_http.is_some() || host.access != Access::default())
        };
        // Its path as a mirror leads to another registry's repositories.
        let as_mirror = || self.all().find(described);
        let as_mirror = || as_mirror().map(|host| Host { path: None, ..host });
        let host = own.into_iter().find(described).or_else(as_mirror);
        Ok(host.unwrap_or_else(|| Host::upstream(name)))
    }

    /// All hosts that are configured for any registry.
    pub(super) fn all(&self) -> impl Iterator<Item = Host> {
        let listed = self.hosts.values().flatten().cloned();
        let in_files = self.certs_dir.iter();
        listed.chain(in_files.flat_map(|certs_dir| containerd::mirrors(certs_dir)))
    }

    fn listed(&self, registry: &str) -> Option<&[Host]> {
        let name = RegistryName(registry.to_owned());
        self.hosts.get(&name).map(Vec::as_slice)
    }

    fn file(&self, name: &str) -> Result<Option<containerd::HostsFile>, InvalidHosts> {
        match &self.certs_dir {
            Some(certs_dir) => containerd::find(certs_dir, name),
            None => Ok(None),
        }
    }
}

/// Appends `last`, unless it is in the list already.
fn ending_with(last: Host, mut hosts: Vec<Host>, registry: &str) -> Vec<Host> {
    let same = |host: &Host| match last.is(registry) {
        true => host.is(registry),
        false => host.host == last.host && host.path == last.path,
    };
    if !hosts.iter().any(same) {
        hosts.push(last);
    }
    hosts
}

/// An [`Authority`], or `_default` for all registries without an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct RegistryName(String);

impl RegistryName {
    /// The registry; `None` for `_default`.
    pub fn registry(&self) -> Option<&str> {
        (self.0 != DEFAULT).then_some(&*self.0)
    }
}

impl TryFrom<String> for RegistryName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            DEFAULT => Ok(RegistryName(text)),
            _ => Authority::try_from(text).map(|host| RegistryName(host.as_str().to_owned())),
        }
    }
}

/// The root path of a host's API; starts with `/` and does not end with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ApiPath(String);

impl ApiPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ApiPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let steps_up = text.split('/').any(|part| part == "." || part == "..");
        if !text.starts_with('/') || text.contains(['?', '#', '\\', '%']) || steps_up {
            return Err(format!("`{text}` is not a path such as `/v2/ghcr-proxy`"));
        }
        Ok(ApiPath(text.trim_end_matches('/').to_owned()))
    }
}
