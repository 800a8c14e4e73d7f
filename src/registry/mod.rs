//! A client of OCI registries, following the [distribution
//! specification][spec]. It checks every document and blob against its digest
//! and size, and limits everything it keeps in memory.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/main/spec.md

mod auth;
mod blobs;
mod challenge;
mod credentials;
mod diagnose;
mod document;
mod documents;
mod endpoint;
mod error;
mod fallback;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hosts;
mod login;
mod media_type;
mod packages;
mod reach;
mod realm;
mod referrers;
mod scope;
mod session;
mod tags;
mod token;
mod transfer;
mod upload;
mod writer;

use std::io;
use std::path::PathBuf;

use http::Method;

pub(crate) use credentials::canonical_host;
pub use credentials::{
    Credential, CredentialOptions, CredentialSource, Given, HelperError, Keyring, LoginFile,
    LoginFileError, Place, Removed,
};
pub use document::InvalidManifest;
pub(crate) use document::{Descriptor, Document, Index, Manifest};
pub(crate) use documents::{MANIFEST, MAX_MANIFEST_BYTES};
pub use error::Error;
pub(crate) use fallback::{HostFault, Tried};
pub use hosts::{ApiPath, Capability, Host, InvalidHosts, Mirrors, RegistryName};
pub use login::{Checked, Login, LoginError};
#[cfg(test)]
pub(crate) use media_type::DocumentKind;
pub(crate) use media_type::MANIFEST as MANIFEST_TYPE;
pub(crate) use media_type::essence;
pub use packages::{PackageError, PackageOptions};
pub use reach::Reached;
pub use referrers::Referrer;
pub use transfer::{Transfer, Visibility};
pub use upload::{BlobContent, BlobUpload, Uploaded};
pub use writer::Writer;

use crate::digest::{Expected, Verifier};
use crate::net::{self, Request, Resume, RetryMode};
use crate::reference::OciReference;
use auth::{Answer, Auth};
use endpoint::Endpoint;
use scope::Actions;

/// Mirrors, credentials and registries of packages.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The mirrors of registries.
    pub mirrors: Mirrors,
    /// The sources of credentials.
    pub credentials: CredentialOptions,
    /// Where packages are found by their names.
    pub packages: PackageOptions,
}

/// A registry client. Use one instance per process: it keeps connections and
/// tokens.
pub struct Client {
    http: net::Client,
    auth: Auth,
    options: Options,
}

/// A repository, with the hosts (at least one) that serve it.
pub(crate) struct Repository<'a> {
    client: &'a Client,
    transfer: &'a Transfer,
    endpoints: Vec<Endpoint>,
}

/// A repository at one host.
#[derive(Clone, Copy)]
pub(crate) struct Remote<'a> {
    client: &'a Client,
    transfer: &'a Transfer,
    endpoint: &'a Endpoint,
}

impl Client {
    pub fn new(http: net::Client, options: Options) -> Self {
        Client {
            http,
            auth: Auth::new(options.credentials.clone()),
            options,
        }
    }

    pub(crate) fn http(&self) -> &net::Client {
        &self.http
    }

    /// The registries with mirrors in `config.toml`.
    pub(crate) fn mirrored(&self) -> impl Iterator<Item = String> {
        let names = self.options.mirrors.hosts.keys();
        names.filter_map(|name| Some(name.registry()?.to_owned()))
    }

    /// The credential files, with the number of registries for which each has
    /// credentials. The errors do not quote the files.
    pub(crate) fn credential_files(&self) -> Vec<(PathBuf, io::Result<usize>)> {
        credentials::files(&self.options.credentials)
    }

    /// The repository of a reference, at the hosts with the capability.
    ///
    /// # Errors
    ///
    /// If no host has the capability, or a `hosts.toml` is invalid.
    pub(crate) fn repository<'a>(
        &'a self,
        reference: &OciReference,
        capability: Capability,
        transfer: &'a Transfer,
    ) -> Result<Repository<'a>, Error> {
        Ok(Repository {
            client: self,
            transfer,
            endpoints: Endpoint::all(reference, capability, self)?,
        })
    }
}

impl<'a> Repository<'a> {
    /// The repository at each host that may be asked about tags and referrers, one after the
    /// other. With `insists`, the registry itself is asked too, last and with retries.
    ///
    /// # Errors
    ///
    /// When the configuration of the hosts cannot be read.
    pub(crate) fn each_host(
        client: &'a Client,
        reference: &OciReference,
        insists: bool,
        transfer: &'a Transfer,
    ) -> Result<Vec<Repository<'a>>, Error> {
        let mut endpoints = match Endpoint::all(reference, Capability::Resolve, client) {
            Err(Error::NoHost { .. }) => Vec::new(),
            endpoints => endpoints?,
        };
        if let Some(upstream) = endpoints.iter().position(Endpoint::is_upstream) {
            // The registry's answer is final.
            endpoints.truncate(upstream + 1);
        } else if insists {
            endpoints.push(Endpoint::upstream(reference, client)?);
        }
        let retry = match insists {
            true => RetryMode::Repeat,
            false => RetryMode::Once,
        };
        let alone = |endpoint: Endpoint| Repository {
            client,
            transfer,
            endpoints: vec![endpoint.retried(retry)],
        };
        Ok(endpoints.into_iter().map(alone).collect())
    }

    /// Whether the registry itself is among its hosts.
    pub(crate) fn is_upstream(&self) -> bool {
        self.endpoints.iter().any(Endpoint::is_upstream)
    }

    fn remote<'s>(&'s self, endpoint: &'s Endpoint) -> Remote<'s>
    where
        'a: 's,
    {
        Remote {
            client: self.client,
            transfer: self.transfer,
            endpoint,
        }
    }
}

impl Remote<'_> {
    /// Whether temporary failures of the host are retried.
    pub fn retry(&self) -> RetryMode {
        self.endpoint.retry()
    }

    /// Requests a document or blob, and answers an authentication challenge
    /// once.
    async fn read(
        &self,
        method: Method,
        item: Item<'_>,
        resume: Option<&Resume>,
    ) -> Result<Answer, Error> {
        let request = |authorization| Request {
            authorization,
            accept: item.accept(),
            access: self.endpoint.access().clone(),
            retry: self.endpoint.retry(),
            headers: resume.map(Resume::headers).unwrap_or_default(),
            ..Request::new(method.clone(), self.endpoint.url(item))
        };
        self.client.auth.send(*self, Actions::Pull, request).await
    }
}

/// A document or blob of a repository, by name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    /// An OCI manifest or image index, by tag or digest.
    Manifest(&'a str),
    /// A config or layer, by digest.
    Blob(&'a str),
}

impl Item<'_> {
    /// Its path below the repository.
    fn path(&self) -> String {
        match self {
            Item::Manifest(name) => format!("manifests/{name}"),
            Item::Blob(digest) => format!("blobs/{digest}"),
        }
    }

    fn accept(&self) -> Option<&'static str> {
        matches!(self, Item::Manifest(_)).then_some(media_type::ACCEPT)
    }
}

/// The expected digest and size of a blob.
pub(crate) fn expectation(descriptor: &Descriptor) -> Expected {
    Expected {
        digest: Some(descriptor.digest),
        size: Some(descriptor.size),
        ..Expected::default()
    }
}

/// Checks the digest and size of `bytes`. `what` names them in errors.
pub(crate) fn check(bytes: &[u8], expected: Expected, what: &str) -> Result<(), Error> {
    let mut verifier = Verifier::new(expected);
    verifier
        .update(bytes)
        .and_then(|()| verifier.finish())
        .map(drop)
        .map_err(|mismatch| Error::mismatch(what, mismatch))
}
