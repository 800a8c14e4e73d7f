//! The URLs of a repository at the registry and at its mirrors.

use url::Url;

use super::hosts::{self, Capability, Host};
use super::scope::{Actions, Scope};
use super::{Client, Error, Item};
use crate::net::{self, Access, RetryMode};
use crate::reference::OciReference;

const API: &str = "/v2";

/// A repository at one host.
pub(super) struct Endpoint {
    /// `https://host/v2/repository/`.
    base: Url,
    authority: String,
    repository: String,
    role: Role,
    access: Access,
    retry: RetryMode,
}

enum Role {
    /// The registry of the reference.
    Upstream,
    /// A mirror. Requests name the registry in the `ns` query parameter.
    Mirror { registry: String },
}

impl Endpoint {
    /// The endpoints with the capability, in order; at least one.
    pub fn all(
        reference: &OciReference,
        capability: Capability,
        client: &Client,
    ) -> Result<Vec<Self>, Error> {
        let registry = reference.registry();
        let mut endpoints = client
            .options
            .mirrors
            .of(registry)?
            .into_iter()
            .filter(|host| host.can(capability, registry))
            .map(|host| Endpoint::of(reference, host, &client.http))
            .collect::<Result<Vec<_>, _>>()?;
        // Only the last host is retried; after a failure of another host, the next is asked.
        match endpoints.last_mut() {
            Some(last) => last.retry = RetryMode::Repeat,
            None => {
                return Err(Error::NoHost {
                    registry: registry.to_owned(),
                    capability,
                });
            }
        }
        Ok(endpoints)
    }

    /// The endpoint at the registry itself, for writing.
    pub fn upstream(reference: &OciReference, client: &Client) -> Result<Self, Error> {
        let host = client.options.mirrors.named(reference.registry())?;
        let endpoint = Endpoint::of(reference, host, &client.http)?;
        Ok(Endpoint {
            retry: RetryMode::Repeat,
            ..endpoint
        })
    }

    /// The same endpoint with failures retried as `retry` says.
    pub fn retried(self, retry: RetryMode) -> Self {
        Endpoint { retry, ..self }
    }

    fn of(reference: &OciReference, host: Host, http: &net::Client) -> Result<Self, Error> {
        let registry = reference.registry();
        let role = match host.is(registry) {
            true => Role::Upstream,
            false => Role::Mirror {
                registry: registry.to_owned(),
            },
        };
        // Docker Hub's API is at another host.
        let authority = match host.host.as_str() {
            hosts::DOCKER => hosts::DOCKER_HOST,
            other => other,
        };
        let name = reference.hosted_repository();
        let path = host.path.as_ref().map_or(API, |path| path.as_str());
        let plain = host.is_plain(|| http.allows_plain(authority));
        let scheme = if plain { "http" } else { "https" };
        let text = format!("{scheme}://{authority}{path}/{name}/");
        let base = Url::parse(&text).map_err(|error| net::Error::Unreachable {
            host: authority.to_owned(),
            source: error.into(),
        })?;
        // The path after `/v2/` is a prefix of the repository's name at this
        // host.
        let repository = match path.strip_prefix("/v2/") {
            Some(prefix) => format!("{prefix}/{name}"),
            None => name.into_owned(),
        };
        Ok(Endpoint {
            authority: authority.to_owned(),
            base,
            repository,
            role,
            access: host.access,
            retry: RetryMode::Once,
        })
    }

    /// The URL of a manifest or blob.
    pub fn url(&self, item: Item<'_>) -> Url {
        self.at(&item.path())
    }

    /// The URL of `path` below the repository.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        if let Role::Mirror { registry } = &self.role {
            url.query_pairs_mut().append_pair("ns", registry);
        }
        url
    }

    /// The repository's name at this host, for which credentials are looked up.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The host (`host[:port]`), for credentials, certificates and errors.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub fn access(&self) -> &Access {
        &self.access
    }

    pub fn retry(&self) -> RetryMode {
        self.retry
    }

    /// Whether to send another request to learn the reason of a refusal. False for a mirror that
    /// is followed by another host.
    pub fn is_heard_out(&self) -> bool {
        self.is_upstream() || self.retry == RetryMode::Repeat
    }

    /// Whether it is the registry of the reference.
    pub fn is_upstream(&self) -> bool {
        matches!(self.role, Role::Upstream)
    }

    /// The base URL of the repository.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Whether `url` is on this host, with the same scheme and port.
    pub fn owns(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    /// The URL of `/v2/`, where the host says whether it requires
    /// authentication.
    pub fn root(&self) -> Url {
        let mut url = self.base.clone();
        url.set_path("/v2/");
        url
    }

    pub fn scope(&self, actions: Actions) -> Scope {
        Scope {
            repository: self.repository.clone(),
            actions,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Mirrors, Options};
    use super::*;
    use crate::reference::Reference;

    fn oci(reference: &str) -> OciReference {
        match Reference::parse(reference, Path::new("/")) {
            Ok(Reference::Oci(oci)) => oci,
            _ => panic!("{reference}"),
        }
    }

    /// A client with one host in place of a registry.
    fn client(registry: &str, host: &str) -> Client {
        let host = toml::from_str::<Host>(host).expect("a host");
        let registry = registry.to_owned().try_into().expect("a registry");
        let mirrors = Mirrors {
            hosts: [(registry, vec![host])].into(),
            certs_dir: None,
        };
        let options = Options {
            mirrors,
            ..Options::default()
        };
        Client::new(net::Client::new(net::Options::default()), options)
    }

    /// URLs and scopes of the manifest of `reference` at each of its hosts.
    fn addresses(reference: &str, hosts: &str) -> Vec<(String, String)> {
        let oci = oci(reference);
        let client = client(oci.registry(), hosts);
        let all = Endpoint::all(&oci, Capability::Pull, &client).expect("endpoints");
        let address = |endpoint: &Endpoint| {
            let url = endpoint.url(Item::Manifest("v1")).to_string();
            (url, endpoint.scope(Actions::Pull).to_string())
        };
        all.iter().map(address).collect()
    }

    #[test]
    fn a_mirror_is_asked_under_its_own_path_and_told_the_registry() {
        let hosts = addresses(
            "oci://reg.lan:5000/acme/a:v1",
            "host = 'harbor.lan'\npath = '/v2/proxy'",
        );
        let expected = [
            (
                "https://harbor.lan/v2/proxy/acme/a/manifests/v1?ns=reg.lan%3A5000",
                "repository:proxy/acme/a:pull",
            ),
            (
                "https://reg.lan:5000/v2/acme/a/manifests/v1",
                "repository:acme/a:pull",
            ),
        ];
        let expected = expected.map(|(url, scope)| (url.to_owned(), scope.to_owned()));
        assert_eq!(hosts, expected);
    }

    #[test]
    fn a_mirror_that_is_written_to_under_its_own_name_has_no_path() {
        let hosts = "host = 'harbor.lan'\npath = '/v2/proxy'\nplain_http = true";
        let client = client("reg.lan:5000", hosts);
        let endpoint = Endpoint::upstream(&oci("oci://harbor.lan/acme/a:v1"), &client);
        let url = endpoint.expect("an endpoint").url(Item::Manifest("v1"));
        assert_eq!(url.as_str(), "http://harbor.lan/v2/acme/a/manifests/v1");
    }

    #[test]
    fn docker_hub_has_names_of_its_own() {
        let hosts = addresses("oci://docker.io/a:v1", "host = 'localhost:5000'");
        let urls: Vec<_> = hosts.into_iter().map(|(url, _)| url).collect();
        let expected = [
            "http://localhost:5000/v2/library/a/manifests/v1?ns=docker.io",
            "https://registry-1.docker.io/v2/library/a/manifests/v1",
        ];
        assert_eq!(urls, expected);
    }

    #[test]
    fn plain_http_is_as_the_operator_says() {
        for (host, scheme) in [
            ("host = '127.0.0.1:1'", "http://"),
            ("host = '127.0.0.1:1'\nplain_http = false", "https://"),
            ("host = 'm.lan'", "https://"),
            ("host = 'm.lan'\nplain_http = true", "http://"),
            ("host = '127.0.0.1:1'\nca = 'ca.pem'", "https://"),
        ] {
            let hosts = addresses("oci://reg.lan/a:v1", host);
            assert!(hosts[0].0.starts_with(scheme), "{host}: {hosts:?}");
        }
    }
}
