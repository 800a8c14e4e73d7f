//! Artifacts from an [OCI image layout][spec]: a directory of blobs, as `skopeo
//! copy` and `oras` write it to transport artifacts without a registry.
//!
//! ```text
//! oci-layout                 {"imageLayoutVersion": "1.0.0"}
//! index.json                 the artifacts, by the annotation `…ref.name`
//! blobs/sha256/<64 digits>   OCI manifests, configs and layers
//! ```
//!
//! Documents and blobs are selected and checked like those of a registry.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/main/image-layout.md

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::watch;

use super::content::{Content, Target};
use super::error::{ErrorKind, Failed};
use super::layout_error::LayoutError;
use super::outcome::{Blob, Identity};
use super::plan::{Layer, list};
use super::sink::{self, Source};
use crate::digest::{Digest, Expected};
use crate::file::{Links, open_regular};
use crate::reference::LayoutReference;
use crate::registry::{Descriptor, MANIFEST, MAX_MANIFEST_BYTES, check, expectation};

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MAX_MARKER_BYTES: u64 = 4096;

/// Resolves a reference to the digest of its manifest or index.
pub(super) async fn resolve(
    reference: &LayoutReference,
) -> Result<(Identity, Option<Bytes>), ErrorKind> {
    let reference = reference.clone();
    let work = move || match reference.digest() {
        Some(digest) => Ok(digest),
        None => Layout::open_now(reference.path())?.tagged(reference.tag()),
    };
    let manifest_digest = off_thread(work).await?;
    Ok((Identity::Oci { manifest_digest }, None))
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ErrorKind> + Send + 'static,
) -> Result<T, ErrorKind> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ErrorKind::disk(io::Error::other(error)))?
}

type Report = watch::Sender<(u64, Option<u64>)>;

/// A directory with a valid `oci-layout` file.
#[derive(Clone)]
pub(super) struct Layout {
    /// The canonical path, without symbolic links.
    root: Arc<Path>,
}

/// An entry of `index.json`.
#[derive(Deserialize)]
struct Entry {
    digest: Digest,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Content for Layout {
    const IS_SHARED: bool = false;

    async fn document(&self, digest: Digest, expected: Expected) -> Result<Bytes, Failed> {
        let layout = self.clone();
        let work = move || {
            let bytes = layout.read(&blob_path(digest), MAX_MANIFEST_BYTES as u64);
            let bytes = bytes.map_err(|error| missing(error, digest))?;
            check(&bytes, expected, MANIFEST)?;
            Ok(bytes.into())
        };
        Ok(off_thread(work).await?)
    }

    async fn small(&self, descriptor: &Descriptor, what: &str) -> Result<Bytes, Failed> {
        let (layout, what) = (self.clone(), what.to_owned());
        let (digest, expected) = (descriptor.digest, expectation(descriptor));
        let most = descriptor.size.saturating_add(1);
        let work = move || {
            // Read one byte more, to detect a file that is too long.
            let mut bytes = Vec::new();
            let file = layout.blob(digest)?;
            file.take(most)
                .read_to_end(&mut bytes)
                .map_err(ErrorKind::file)?;
            check(&bytes, expected, &what)?;
            Ok(bytes.into())
        };
        Ok(off_thread(work).await?)
    }

    async fn component(&self, layer: Layer<'_>, target: Target<'_>) -> Result<Blob, Failed> {
        let (report, mut reports) = watch::channel((0, None));
        let (layout, what) = (self.clone(), layer.name());
        let Descriptor { digest, size, .. } = *layer.descriptor;
        let (expected, unpack) = (expectation(layer.descriptor), target.unpack);
        let work = move |path: &Path| {
            let source = Source {
                bytes: Watched {
                    file: layout.blob(digest)?,
                    done: 0,
                    total: size,
                    report,
                },
                expected,
                unpack,
            };
            sink::copy(source, path).map_err(|stopped| ErrorKind::stopped(stopped, &what))
        };
        let work = target.destination.write(work);
        while reports.changed().await.is_ok() {
            let (done, total) = *reports.borrow_and_update();
            target.progress.bytes(done, total);
        }
        let copied = work
            .await
            .map_err(|error| ErrorKind::disk(io::Error::other(error)))?;
        Ok(copied?)
    }
}

impl Layout {
    /// Opens a layout and checks its `oci-layout` file.
    pub async fn open(path: &Path) -> Result<Self, ErrorKind> {
        let path = path.to_owned();
        off_thread(move || Layout::open_now(&path)).await
    }

    fn open_now(path: &Path) -> Result<Self, ErrorKind> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let root = path.canonicalize().map_err(ErrorKind::file)?;
        let layout = Layout { root: root.into() };
        let marker = layout.read(Path::new(MARKER), MAX_MARKER_BYTES);
        let marker = marker.map_err(|failure| match failure {
            ErrorKind::File(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                LayoutError::Unmarked.into()
            }
            other => other,
        })?;
        let marker: Marker =
            serde_json::from_slice(&marker).map_err(|error| LayoutError::json(MARKER, error))?;
        match marker.image_layout_version.split('.').next() {
            Some("1") => Ok(layout),
            _ => Err(LayoutError::Version.into()),
        }
    }

    /// The digest for the tag; without a tag, that of the only artifact.
    fn tagged(&self, tag: Option<&str>) -> Result<Digest, ErrorKind> {
        #[derive(Deserialize)]
        struct Index {
            manifests: Vec<Entry>,
        }
        let bytes = self.read(Path::new(INDEX), MAX_MANIFEST_BYTES as u64)?;
        let index: Index =
            serde_json::from_slice(&bytes).map_err(|error| LayoutError::json(INDEX, error))?;
        let found = index.manifests.iter().filter(|entry| match tag {
            Some(tag) => entry.tag() == Some(tag),
            None => true,
        });
        let mut digests: Vec<Digest> = found.map(|entry| entry.digest).collect();
        digests.dedup();
        let tags = || tags(&index.manifests);
        match (digests.as_slice(), tag) {
            ([digest], _) => Ok(*digest),
            ([], Some(tag)) => Err(LayoutError::UnknownTag(tag.to_owned(), tags()).into()),
            ([], None) => Err(LayoutError::Empty.into()),
            (_, Some(tag)) => Err(LayoutError::TagTwice(tag.to_owned()).into()),
            (_, None) => Err(LayoutError::Several(tags()).into()),
        }
    }

    fn blob(&self, digest: Digest) -> Result<File, ErrorKind> {
        self.file(&blob_path(digest))
            .map_err(|failure| missing(failure, digest))
    }

    /// Reads a whole file of at most `limit` bytes.
    fn read(&self, inside: &Path, limit: u64) -> Result<Vec<u8>, ErrorKind> {
        let mut bytes = Vec::new();
        let file = self.file(inside)?;
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(ErrorKind::file)?;
        if bytes.len() as u64 > limit {
            return Err(ErrorKind::too_large(
                format!("`{}`", inside.display()),
                limit,
            ));
        }
        Ok(bytes)
    }

    /// Opens a file of the layout. Symbolic links out of it are rejected, so
    /// that whoever made the layout cannot make this program read other files.
    /// Replacing a link between the check and the open gains nothing: blobs are
    /// checked against their digests, and of the other files only tags are
    /// shown.
    fn file(&self, inside: &Path) -> Result<File, ErrorKind> {
        let real = self
            .root
            .join(inside)
            .canonicalize()
            .map_err(ErrorKind::file)?;
        if !real.starts_with(&self.root) {
            return Err(LayoutError::Outside(inside.to_owned()).into());
        }
        open_regular(&real, Links::Refuse).map_err(ErrorKind::file)
    }
}

impl Entry {
    fn tag(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).map(String::as_str)
    }
}

/// A file that reports how much of it was read.
struct Watched {
    file: File,
    done: u64,
    total: u64,
    report: Report,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.done += n as u64;
        // The receiver was dropped: the load was cancelled.
        if self.report.send((self.done, Some(self.total))).is_err() {
            return Err(io::Error::other("the load was cancelled"));
        }
        Ok(n)
    }
}

fn blob_path(digest: Digest) -> PathBuf {
    Path::new("blobs/sha256").join(digest.hex())
}

fn missing(failure: ErrorKind, digest: Digest) -> ErrorKind {
    match failure {
        ErrorKind::File(error) if error.kind() == io::ErrorKind::NotFound => {
            LayoutError::Missing(digest).into()
        }
        other => other,
    }
}

/// The first tags, for messages.
fn tags(entries: &[Entry]) -> String {
    list(entries.iter().filter_map(Entry::tag).map(str::to_owned))
}
