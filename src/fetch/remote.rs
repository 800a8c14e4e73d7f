//! Artifacts from registries.

use std::path::Path;

use bytes::Bytes;

use super::content::{Content, Target};
use super::download::{self, Download, Source};
use super::error::{ErrorKind, Failed};
use super::outcome::Blob;
use super::plan::Layer;
use crate::digest::{Digest, Expected};
use crate::net::{Client, Meter, Response, Resume};
use crate::registry::{Descriptor, Remote, Repository, expectation};

/// A repository, with the hosts that serve it.
pub(super) struct Artifacts<'a> {
    pub repository: Repository<'a>,
    pub http: &'a Client,
    pub meter: &'a Meter,
    /// The directory for partial downloads.
    pub parts: Option<&'a Path>,
}

impl Content for Artifacts<'_> {
    const IS_SHARED: bool = true;

    async fn document(&self, digest: Digest, expected: Expected) -> Result<Bytes, Failed> {
        let asked = self
            .repository
            .first(async |remote| remote.document(digest, expected).await);
        Ok(asked.await?)
    }

    async fn small(&self, descriptor: &Descriptor, what: &str) -> Result<Bytes, Failed> {
        let asked = self
            .repository
            .first(async |remote| remote.small_blob(descriptor, what).await);
        Ok(asked.await?)
    }

    async fn component(&self, layer: Layer<'_>, target: Target<'_>) -> Result<Blob, Failed> {
        let what = layer.name();
        self.repository
            .first(async |remote| {
                let source = BlobSource {
                    remote,
                    descriptor: layer.descriptor,
                };
                let download = Download {
                    what: &what,
                    destination: target.destination.clone(),
                    expected: expectation(layer.descriptor),
                    unpack: target.unpack,
                    parts: self.parts,
                    retry: remote.retry(),
                    http: self.http,
                    meter: self.meter,
                    progress: target.progress,
                };
                let (blob, _) = download::download(&source, download).await?;
                Ok(blob)
            })
            .await
    }
}

/// A blob as the source of a download.
struct BlobSource<'a> {
    remote: Remote<'a>,
    descriptor: &'a Descriptor,
}

impl Source for BlobSource<'_> {
    async fn open(&self, resume: Option<&Resume>) -> Result<Response, ErrorKind> {
        let opened = self
            .remote
            .open_blob(self.descriptor, "the component", resume);
        Ok(opened.await?)
    }
}
