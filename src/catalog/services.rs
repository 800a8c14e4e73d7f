//! Reads catalog entries from the responses of other services: search services with the protocol
//! of `wasm.directory`, and the MCP server registry.

use semver::Version;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::InvalidCatalog;

/// Largest number of entries read from a service.
pub const MOST_ENTRIES: usize = 10_000;
/// Number of entries requested per page.
const PAGE: usize = 100;

/// A service that lists components page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogService {
    address: Url,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// `/v1/packages` or `/v1/search?q=`, with `offset` and `limit`.
    Packages,
    /// `/v0/servers` of the MCP server registry, with `cursor` and `limit`.
    Servers,
}

/// One page of a service's list.
#[derive(Debug)]
pub struct Page {
    /// The entries, in the form of a catalog.
    pub entries: Vec<Value>,
    /// The address of the next page, if there is one.
    pub next: Option<Url>,
}

/// A package in the response of a search service.
#[derive(Deserialize)]
struct Package {
    registry: String,
    repository: String,
    /// `component` or `interface`, if known.
    kind: Option<String>,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Servers {
    servers: Vec<Listed>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(alias = "nextCursor")]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Wrapped { server: Server },
    Bare(Server),
}

/// A `server.json`.
#[derive(Deserialize)]
struct Server {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    packages: Vec<ServerPackage>,
}

#[derive(Deserialize)]
struct ServerPackage {
    #[serde(alias = "registryType", default)]
    registry_type: String,
    #[serde(alias = "registryBaseUrl")]
    registry_base_url: Option<String>,
    identifier: String,
    version: Option<String>,
}

impl CatalogService {
    /// Returns the service at an address: a host without a path, or an address that ends with
    /// `/v1/packages`, `/v1/search` or `/servers`. `None` for the address of a document.
    pub fn at(address: &Url) -> Option<Self> {
        let mut address = address.clone();
        if address.path() == "/" && address.query().is_none() && address.fragment().is_none() {
            address.set_path("/v1/packages");
        }
        let path = address.path();
        let protocol = if path.ends_with("/v1/packages") || path.ends_with("/v1/search") {
            Protocol::Packages
        } else if path.ends_with("/servers") {
            Protocol::Servers
        } else {
            return None;
        };
        Some(CatalogService { address, protocol })
    }

    /// Returns the address of the first page.
    pub fn first(&self) -> Url {
        match self.protocol {
            Protocol::Packages => self.page([("offset", "0"), ("limit", &PAGE.to_string())]),
            Protocol::Servers => self.page([("limit", &*PAGE.to_string())]),
        }
    }

    fn page<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Url {
        let mut url = self.address.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }

    /// Reads a page that follows `before` packages.
    ///
    /// # Errors
    ///
    /// If the page does not follow the protocol.
    pub fn read(&self, text: &str, before: usize) -> Result<Page, InvalidCatalog> {
        match self.protocol {
            Protocol::Packages => {
                let packages: Vec<Value> = parsed(text)?;
                let listed = before + packages.len();
                let goes_on = !packages.is_empty() && listed < MOST_ENTRIES;
                let (offset, limit) = (listed.to_string(), PAGE.to_string());
                Ok(Page {
                    next: goes_on.then(|| self.page([("offset", &*offset), ("limit", &limit)])),
                    // Skip packages of another form.
                    entries: packages
                        .into_iter()
                        .filter_map(|package| serde_json::from_value::<Package>(package).ok())
                        .filter_map(Package::entry)
                        .collect(),
                })
            }
            Protocol::Servers => {
                let Servers { servers, metadata } = parsed(text)?;
                let goes_on = !servers.is_empty() && before + servers.len() < MOST_ENTRIES;
                let cursor = metadata.next_cursor.filter(|cursor| !cursor.is_empty());
                let limit = PAGE.to_string();
                Ok(Page {
                    next: cursor
                        .filter(|_| goes_on)
                        .map(|cursor| self.page([("cursor", &*cursor), ("limit", &limit)])),
                    entries: servers.into_iter().flat_map(Listed::entries).collect(),
                })
            }
        }
    }

    /// Whether the service lists packages of any kind, so that each must be checked to be a
    /// component.
    pub fn lists_anything(&self) -> bool {
        self.protocol == Protocol::Servers
    }
}

/// Returns the number of items on a page, including those that are skipped.
pub fn items_of(text: &str) -> usize {
    match serde_json::from_str(text) {
        Ok(Value::Array(items)) => items.len(),
        Ok(Value::Object(members)) => match members.get("servers") {
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        },
        _ => 0,
    }
}

/// Returns the entries of a `server.json`, if the text is one.
pub fn server_entries(text: &str) -> Option<Vec<Value>> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("packages")?.as_array()?;
    let server: Server = serde_json::from_value(value).ok()?;
    Some(server.entries())
}

fn parsed<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, InvalidCatalog> {
    let value: Value = serde_json::from_str(text).map_err(InvalidCatalog::Json)?;
    serde_json::from_value(value).map_err(|_| InvalidCatalog::Shape)
}

impl Package {
    /// Returns the package as a catalog entry; `None` if it is not a component or has no version.
    fn entry(self) -> Option<Value> {
        if self.kind.is_some_and(|kind| kind != "component") {
            return None;
        }
        let tag = newest(&self.tags)?;
        let (registry, repository) = (self.registry, self.repository);
        let name = repository.rsplit('/').next()?.to_owned();
        let description = self.description.filter(|text| !text.trim().is_empty());
        Some(json!({
            "name": name,
            "description": description.unwrap_or_else(|| format!("{registry}/{repository}")),
            "uri": format!("oci://{registry}/{repository}:{tag}"),
        }))
    }
}

/// Returns the highest version among the tags, or else the first tag.
fn newest(tags: &[String]) -> Option<&String> {
    let versions = tags.iter().filter_map(|tag| {
        let version = Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()?;
        Some((version, tag))
    });
    let highest = versions.max_by(|a, b| a.0.cmp(&b.0));
    highest.map(|(_, tag)| tag).or(tags.first())
}

impl Listed {
    fn entries(self) -> Vec<Value> {
        let (Listed::Wrapped { server } | Listed::Bare(server)) = self;
        server.entries()
    }
}

impl Server {
    fn entries(self) -> Vec<Value> {
        // Of `io.github.acme/weather`, the part after the slash is short enough to type.
        let name = self.name.rsplit('/').next().unwrap_or_default();
        let description = match self.description.trim() {
            "" => &self.name,
            description => description,
        };
        let uris = self.packages.iter().filter_map(ServerPackage::uri);
        uris.map(|uri| json!({ "name": name, "description": description, "uri": uri }))
            .collect()
    }
}

impl ServerPackage {
    /// Returns the reference. `identifier` is `host/repository:tag`; in older documents it is the
    /// repository, and host and tag are in other keys.
    fn uri(&self) -> Option<String> {
        if self.registry_type != "oci" {
            return None;
        }
        let Some(base) = self.registry_base_url.as_deref() else {
            return Some(format!("oci://{}", self.identifier));
        };
        let host = base.strip_prefix("https://")?.trim_end_matches('/');
        let within = self.identifier.strip_prefix(&format!("{host}/"));
        let repository = within.unwrap_or(&self.identifier);
        let last = repository.rsplit('/').next().unwrap_or_default();
        Some(match &self.version {
            Some(version) if !last.contains([':', '@']) => {
                format!("oci://{host}/{repository}:{version}")
            }
            _ => format!("oci://{host}/{repository}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(address: &str) -> Option<CatalogService> {
        CatalogService::at(&address.parse().unwrap())
    }

    #[test]
    fn services_are_known_by_their_addresses() {
        for (address, first) in [
            (
                "https://wasm.example",
                "https://wasm.example/v1/packages?offset=0&limit=100",
            ),
            (
                "https://wasm.example/v1/search?q=weather",
                "https://wasm.example/v1/search?q=weather&offset=0&limit=100",
            ),
            (
                "https://mcp.example/v0/servers",
                "https://mcp.example/v0/servers?limit=100",
            ),
        ] {
            assert_eq!(service(address).unwrap().first().as_str(), first);
        }
        for document in [
            "https://wasm.example/catalog.json",
            "https://wasm.example/#sha256=00",
            "https://wasm.example/?x",
        ] {
            assert!(service(document).is_none(), "{document}");
        }
    }

    #[test]
    fn packages_become_entries_by_their_highest_version() {
        let page = json!([
            { "registry": "ghcr.io", "repository": "acme/weather", "kind": "component",
              "description": "The weather", "tags": ["latest", "1.9.0", "v1.10.0"] },
            { "registry": "ghcr.io", "repository": "acme/plain", "tags": ["latest"] },
            { "registry": "ghcr.io", "repository": "acme/types", "kind": "interface", "tags": ["1.0.0"] },
            { "registry": "ghcr.io", "repository": "acme/untagged", "tags": [] },
            7,
        ]);
        let service = service("https://wasm.example").unwrap();
        let page = service.read(&page.to_string(), 10).unwrap();
        assert_eq!(
            json!(page.entries),
            json!([
                { "name": "weather", "description": "The weather", "uri": "oci://ghcr.io/acme/weather:v1.10.0" },
                { "name": "plain", "description": "ghcr.io/acme/plain", "uri": "oci://ghcr.io/acme/plain:latest" },
            ])
        );
        let next = page.next.unwrap();
        assert_eq!(next.query(), Some("offset=15&limit=100"));
        assert!(service.read("[]", 15).unwrap().next.is_none());
        assert!(service.read("<html>", 0).is_err());
        assert!(service.read("{}", 0).is_err());
    }

    #[test]
    fn servers_become_entries_where_they_are_artifacts() {
        let server = json!({
            "name": "io.github.acme/weather",
            "description": "The weather",
            "packages": [
                { "registryType": "npm", "identifier": "@acme/weather" },
                { "registryType": "oci", "identifier": "ghcr.io/acme/weather:1.0.0" },
                { "registry_type": "oci", "registry_base_url": "https://ghcr.io",
                  "identifier": "acme/old", "version": "2.0.0" },
            ],
        });
        let uris = |entries: &[Value]| -> Vec<String> {
            let uris = entries.iter().map(|entry| entry["uri"].as_str().unwrap());
            uris.map(str::to_owned).collect()
        };
        let expected = [
            "oci://ghcr.io/acme/weather:1.0.0",
            "oci://ghcr.io/acme/old:2.0.0",
        ];
        let alone = server_entries(&server.to_string()).unwrap();
        assert_eq!(uris(&alone), expected);
        assert_eq!(alone[0]["name"], "weather");
        let list = json!({
            "servers": [{ "server": server, "_meta": {} }],
            "metadata": { "nextCursor": "n 1", "count": 1 },
        });
        let service = service("https://mcp.example/v0/servers").unwrap();
        let page = service.read(&list.to_string(), 0).unwrap();
        assert_eq!(uris(&page.entries), expected);
        assert_eq!(page.next.unwrap().query(), Some("cursor=n+1&limit=100"));
        assert!(server_entries(r#"{"components": []}"#).is_none());
    }
}
