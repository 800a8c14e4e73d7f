//! Credential files in the format of Docker ([`config.json`][docker]) and
//! podman ([`auth.json`][podman]).
//!
//! [docker]: https://github.com/docker/cli/blob/master/cli/config/configfile/file.go
//! [podman]: https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Credential, Wanted, canonical_host};
use crate::file::{Links, read_regular};
use crate::registry::Login;
use crate::text::bytes_without_bom;

/// Largest file, in bytes. Real files have a few KiB.
const MAX_FILE: u64 = 4 * 1024 * 1024;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// The key under which Docker stores the credentials of Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

/// The parts of such a file about credentials. Other keys are ignored.
#[derive(Deserialize, Serialize, Default)]
pub(super) struct Config {
    #[serde(default, deserialize_with = "nullable")]
    pub auths: BTreeMap<String, Entry>,
    #[serde(
        default,
        deserialize_with = "nullable",
        rename = "credHelpers",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub cred_helpers: BTreeMap<String, String>,
    #[serde(
        default,
        rename = "credsStore",
        skip_serializing_if = "Option::is_none"
    )]
    creds_store: Option<String>,
}

/// A map that may be `null`, with values that may be `null`: Go reads both as
/// empty.
fn nullable<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de> + Default,
{
    let map: Option<BTreeMap<String, Option<V>>> = Deserialize::deserialize(deserializer)?;
    let entries = map.into_iter().flatten();
    Ok(entries
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect())
}

/// The credentials of one registry.
#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct Entry {
    /// Base64 of `user:secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identitytoken: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registrytoken: Option<String>,
}

impl Config {
    /// Reads a file. `None` if it does not exist, or, with a warning, if it is
    /// unreadable.
    pub fn read(path: &Path) -> Option<Self> {
        match Self::parse(path) {
            Ok(config) => Some(config),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let path = path.display();
                tracing::warn!("no credentials are read from `{path}`: {error}");
                None
            }
        }
    }

    /// Reads a file. The error does not quote its content.
    pub fn parse(path: &Path) -> io::Result<Self> {
        let text = read_regular(path, MAX_FILE, Links::Follow)?;
        serde_json::from_slice(bytes_without_bom(&text)).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // The parser's message may quote a secret.
            io::Error::other(format!(
                "it is not the JSON expected (line {line}, column {column})"
            ))
        })
    }

    /// The credential helpers to ask, in order: the registry's own, and the
    /// default one.
    pub fn helpers(&self, registry: &str) -> impl Iterator<Item = &str> {
        let wanted = canonical_host(registry);
        let own = self
            .cred_helpers
            .iter()
            .find(|(key, _)| file_key(key) == wanted);
        let own = own.map(|(_, name)| name);
        own.into_iter()
            .chain(&self.creds_store)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    /// The entry for the longest matching prefix of the repository's name.
    pub fn entry(&self, wanted: Wanted<'_>) -> Option<&Entry> {
        let whole = format!("{}/{}", canonical_host(wanted.registry), wanted.repository);
        let mut name = whole.as_str();
        loop {
            let exact = self.auths.get(name);
            let entry = exact.or_else(|| {
                let mut all = self.auths.iter();
                all.find(|(key, _)| file_key(key) == name)
                    .map(|(_, entry)| entry)
            });
            // When it uses a helper, Docker leaves empty entries in the file.
            if let Some(entry) = entry.filter(|entry| entry.says_something()) {
                return Some(entry);
            }
            name = name.rsplit_once('/')?.0;
        }
    }
}

impl Entry {
    /// An entry with user name and password.
    pub fn password(login: Login<'_>) -> Self {
        let pair = format!("{}:{}", login.username, login.secret.expose());
        Entry {
            auth: Some(BASE64.encode(pair)),
            ..Entry::default()
        }
    }

    fn says_something(&self) -> bool {
        [
            &self.auth,
            &self.password,
            &self.identitytoken,
            &self.registrytoken,
        ]
        .into_iter()
        .any(|field| field.as_ref().is_some_and(|text| !text.is_empty()))
    }

    /// The credential in the entry. Warns if it is malformed.
    pub fn credential(&self) -> Option<Credential> {
        let text = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = text(&self.identitytoken) {
            return Some(Credential::IdentityToken(token.into()));
        }
        if let Some(token) = text(&self.registrytoken) {
            return Some(Credential::RegistryToken(token.into()));
        }
        let pair = match text(&self.auth) {
            Some(auth) => decode(&auth),
            None => text(&self.username).zip(text(&self.password)),
        };
        if pair.is_none() {
            tracing::warn!("the `auth` of a registry is not base64 of `user:secret`");
        }
        pair.map(|(username, secret)| Credential::Password {
            username,
            secret: secret.into(),
        })
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
    let (username, secret) = pair.split_once(':')?;
    // Old versions of Docker padded with null bytes.
    let secret = secret.trim_matches('\0');
    (!username.is_empty()).then(|| (username.to_owned(), secret.to_owned()))
}

/// The name of the registry for a helper.
pub(super) fn server_name(registry: &str) -> String {
    match canonical_host(registry).as_str() {
        "docker.io" => HUB.to_owned(),
        host => host.to_owned(),
    }
}

/// Normalizes a key of a file: Docker writes it as a URL like
/// `https://host/v1/`.
fn file_key(key: &str) -> String {
    let bare = ["https://", "http://"]
        .iter()
        .find_map(|scheme| key.strip_prefix(scheme))
        .unwrap_or(key)
        .trim_end_matches('/');
    let bare = ["/v1", "/v2"]
        .iter()
        .find_map(|version| bare.strip_suffix(version))
        .unwrap_or(bare);
    match bare.split_once('/') {
        Some((host, path)) => format!("{}/{path}", canonical_host(host)),
        None => canonical_host(bare),
    }
}
