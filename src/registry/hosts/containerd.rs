//! Parser of containerd's `hosts.toml` files, one in the directory of each registry.
//!
//! The keys are [documented by containerd][hosts]. Unsupported keys cause a
//! warning.
//!
//! [hosts]: https://github.com/containerd/containerd/blob/main/docs/hosts.md

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::one_or_more::OneOrMore;
use super::{ApiPath, Capability, Host, certificates, ending_with};
use crate::file::{Links, read_text};
use crate::net::{Access, Authority, Certificate, DialTimeout};

const FILE: &str = "hosts.toml";
/// Largest file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A `hosts.toml` that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHosts {
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`{}` is not a list of hosts", path.display())]
    Syntax {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    #[error("the key `{}` of the certificate `{}` is missing", key.display(), chain.display())]
    NoKey { chain: PathBuf, key: PathBuf },
    #[error("`{}` names the host `{host}`: {reason}", path.display())]
    Host {
        path: PathBuf,
        host: String,
        reason: String,
    },
}

/// A parsed `hosts.toml`.
#[derive(Debug)]
pub(super) struct HostsFile {
    mirrors: Vec<Host>,
    /// The `server` of the file, which is asked last. If the file names none,
    /// it has only the options for the registry itself.
    server: Host,
    names_server: bool,
}

#[derive(Deserialize)]
struct Document {
    server: Option<String>,
    #[serde(flatten)]
    options: Options,
    #[serde(default, deserialize_with = "in_order")]
    host: Vec<(String, Options)>,
}

#[derive(Deserialize)]
struct Options {
    capabilities: Option<Vec<String>>,
    ca: Option<OneOrMore>,
    client: Option<Clients>,
    #[serde(default)]
    skip_verify: bool,
    #[serde(default)]
    override_path: bool,
    dial_timeout: Option<DialTimeout>,
    header: Option<toml::Value>,
    proxy: Option<toml::Value>,
}

/// Client certificates in containerd's three notations.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a file, a list of files, or a list of [certificate, key]"
)]
enum Clients {
    One(PathBuf),
    More(Vec<PathBuf>),
    Pairs(Vec<(PathBuf, PathBuf)>),
}

impl Clients {
    fn first(self) -> Option<Certificate> {
        let (chain, key) = match self {
            Clients::One(both) => return Some(Certificate::in_one_file(both)),
            Clients::More(files) => {
                return files.into_iter().next().map(Certificate::in_one_file);
            }
            Clients::Pairs(pairs) => pairs.into_iter().next()?,
        };
        // An empty name means that the key is in the same file.
        Some(match key.as_os_str().is_empty() {
            true => Certificate::in_one_file(chain),
            false => Certificate { chain, key },
        })
    }

    fn len(&self) -> usize {
        match self {
            Clients::One(_) => 1,
            Clients::More(files) => files.len(),
            Clients::Pairs(pairs) => pairs.len(),
        }
    }
}

/// The possible directory names of a registry.
fn directories(registry: &str) -> Vec<String> {
    let port = registry
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'));
    let mut names = Vec::new();
    if let Some((host, port)) = port {
        names.push(format!("{host}_{port}_"));
    }
    // Windows does not allow colons in file names.
    names.push(match cfg!(windows) {
        true => registry.replace(':', ""),
        false => registry.to_owned(),
    });
    names
}

/// Reads the first existing directory of a registry or of `_default`. An empty
/// directory exempts a registry from `_default`.
pub(super) fn find(certs_dir: &Path, registry: &str) -> Result<Option<HostsFile>, InvalidHosts> {
    let directories = directories(registry).into_iter();
    let mut directories = directories.map(|name| certs_dir.join(name));
    match directories.find(|directory| directory.exists()) {
        Some(directory) => read(&directory).map(Some),
        None => Ok(None),
    }
}

/// The hosts named in any of the files. Unreadable files are skipped.
pub(super) fn mirrors(certs_dir: &Path) -> Vec<Host> {
    let entries = std::fs::read_dir(certs_dir).into_iter().flatten();
    let mut directories: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    directories.sort();
    let files = directories.iter().filter_map(|one| read(one).ok());
    let hosts = files.flat_map(|file| {
        let server = file.names_server.then_some(file.server);
        file.mirrors.into_iter().chain(server)
    });
    hosts.collect()
}

fn read(directory: &Path) -> Result<HostsFile, InvalidHosts> {
    let path = directory.join(FILE);
    let text = read_text(&path, MAX_FILE, Links::Follow);
    let text = match text {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return certificates::read(directory).map(HostsFile::of_certificates);
        }
        Err(source) => return Err(InvalidHosts::Read { path, source }),
    };
    parse(&text, &path)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<HostsFile, InvalidHosts> {
    let document: Document = toml::from_str(text).map_err(|source| InvalidHosts::Syntax {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let host = |(name, options): (String, Options)| {
        host(&name, options, path).map_err(|reason| InvalidHosts::Host {
            path: path.to_owned(),
            host: name,
            reason,
        })
    };
    let names_server = document.server.is_some();
    // A placeholder: without a named server, only the options are used.
    let server = document.server.unwrap_or_else(|| "localhost".to_owned());
    Ok(HostsFile {
        server: host((server, document.options))?,
        names_server,
        mirrors: document
            .host
            .into_iter()
            .map(host)
            .collect::<Result<_, _>>()?,
    })
}

impl HostsFile {
    /// For a directory without `hosts.toml`, which may have certificates for
    /// the registry itself.
    fn of_certificates(access: Access) -> Self {
        HostsFile {
            mirrors: Vec::new(),
            server: Host {
                access,
                ..Host::upstream("localhost")
            },
            names_server: false,
        }
    }

    /// The hosts to ask for the content of `registry`, in order.
    pub fn hosts(self, registry: &str) -> Vec<Host> {
        let mut server = self.server;
        if !self.names_server {
            server = Host {
                capabilities: server.capabilities,
                access: server.access,
                ..Host::upstream(registry)
            };
        }
        // The operator named it as the server, so it is trusted like the
        // registry itself.
        server
            .capabilities
            .get_or_insert(vec![Capability::Pull, Capability::Resolve]);
        ending_with(server, self.mirrors, registry)
    }
}

fn host(name: &str, options: Options, path: &Path) -> Result<Host, String> {
    let (plain_http, rest) = match name.split_once("://") {
        Some(("https", rest)) => (Some(false), rest),
        Some(("http", rest)) => (Some(true), rest),
        Some(_) => return Err("only `https://` and `http://` lead to hosts".to_owned()),
        // Without a scheme it is HTTPS, unlike in `config.toml` even for
        // loopback hosts.
        None => (Some(false), name),
    };
    let (authority, root) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    options.warn(name, path);
    let mut access = Access {
        ca: options.ca.map(Vec::from).unwrap_or_default(),
        client_cert: options.client.and_then(Clients::first),
        dial_timeout: options.dial_timeout,
    };
    access.relative_to(path.parent().unwrap_or(Path::new("/")));
    let capabilities = options.capabilities.map(|names| capabilities(&names));
    Ok(Host {
        host: Authority::try_from(authority.to_owned())?,
        path: api_path(root, options.override_path)?,
        capabilities: capabilities.transpose()?,
        plain_http,
        access,
    })
}

impl Options {
    /// Warns of options that are not supported.
    fn warn(&self, host: &str, path: &Path) {
        let path = path.display();
        if self.skip_verify && !host.starts_with("http://") {
            tracing::warn!(
                "`skip_verify` of `{host}` in `{path}` is not followed: \
                 certificates are always verified; name its authority with `ca`"
            );
        }
        if self
            .client
            .as_ref()
            .is_some_and(|clients| clients.len() > 1)
        {
            tracing::warn!("only the first `client` of `{host}` in `{path}` is used");
        }
        for (key, value) in [("header", &self.header), ("proxy", &self.proxy)] {
            if value.is_some() {
                tracing::warn!("`{key}` of `{host}` in `{path}` is not supported and not used");
            }
        }
    }
}

fn api_path(root: &str, overrides: bool) -> Result<Option<ApiPath>, String> {
    let root = root.trim_end_matches('/');
    let path = match overrides || root.ends_with("/v2") {
        true => root.to_owned(),
        false => format!("{root}/v2"),
    };
    match path.as_str() {
        "/v2" => Ok(None),
        "" => Err("`override_path` needs a path".to_owned()),
        _ => ApiPath::try_from(path).map(Some),
    }
}

fn capabilities(names: &[String]) -> Result<Vec<Capability>, String> {
    let mut known = Vec::new();
    for name in names {
        match name.as_str() {
            "pull" => known.push(Capability::Pull),
            "resolve" => known.push(Capability::Resolve),
            // Mirrors are never asked for these.
            "push" | "referrers" => {}
            _ => return Err(format!("there is no capability `{name}`")),
        }
    }
    Ok(known)
}

/// Deserializes the tables in document order, which is the order in which the
/// hosts are asked.
fn in_order<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(String, Options)>, D::Error> {
    struct Tables;

    impl<'de> Visitor<'de> for Tables {
        type Value = Vec<(String, Options)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("tables named after hosts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut tables = Vec::new();
            while let Some(entry) = map.next_entry()? {
                tables.push(entry);
            }
            Ok(tables)
        }
    }

    deserializer.deserialize_map(Tables)
}
