//! Artifacts in an [OCI image layout][spec]: a directory of blobs, as `skopeo
//! copy` and `oras` write it to carry artifacts where no registry is.
//!
//! ```text
//! oci-layout                 {"imageLayoutVersion": "1.0.0"}
//! index.json                 the artifacts, by the annotation `…ref.name`
//! blobs/sha256/<64 digits>   OCI manifests, configs and layers
//! ```
//!
//! Documents and blobs are chosen and checked as those of a registry are.
//!
//! [spec]: https://github.com/opencontainers/image-spec/blob/main/image-layout.md

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::watch;

use super::blobs::{MAX_CONFIG_BYTES, config_name, name};
use super::documents::{MANIFEST, MAX_MANIFEST_BYTES, check};
use super::expectation;
use super::layout_error::LayoutError;
use super::manifest::{Descriptor, Document, Manifest, Plan};
use super::media_type::ConfigKind;
use crate::digest::{Digest, Expected};
use crate::fetch::error::Failure;
use crate::fetch::outcome::{Artifact, Blob, Identity, Parts};
use crate::fetch::progress::Progress;
use crate::fetch::sink::{self, Source};
use crate::reference::LayoutReference;

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MAX_MARKER_BYTES: u64 = 4096;

/// What to read, and where to.
pub(in crate::fetch) struct Pull<'a> {
    pub digest: Digest,
    pub target: PathBuf,
    /// Bytes of the component and of the policy, at most.
    pub limits: (u64, u64),
    pub progress: &'a dyn Progress,
}

/// Finds the digest of what the tag names.
pub(in crate::fetch) async fn resolve(
    reference: &LayoutReference,
) -> Result<(Identity, Option<Bytes>), Failure> {
    let reference = reference.clone();
    let work = move || match reference.digest() {
        Some(digest) => Ok(digest),
        None => Layout::open(reference.path())?.tagged(reference.tag()),
    };
    let manifest_digest = off_thread(work).await?;
    Ok((Identity::Oci { manifest_digest }, None))
}

/// Copies the component out of the layout.
pub(in crate::fetch) async fn pull(
    reference: &LayoutReference,
    pull: Pull<'_>,
) -> Result<Parts, Failure> {
    let path = reference.path().to_owned();
    let (digest, target, limits) = (pull.digest, pull.target, pull.limits);
    let (report, mut reports) = watch::channel((0, None));
    let work = move || Layout::open(&path)?.copy(digest, &target, limits, report);
    let work = tokio::spawn(off_thread(work));
    while reports.changed().await.is_ok() {
        let (done, total) = *reports.borrow_and_update();
        pull.progress.bytes(done, total);
    }
    work.await
        .map_err(|error| Failure::disk(io::Error::other(error)))?
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::disk(io::Error::other(error)))?
}

type Report = watch::Sender<(u64, Option<u64>)>;

/// A directory that says it is a layout.
struct Layout {
    /// Without symbolic links.
    root: PathBuf,
}

/// An entry of `index.json`.
#[derive(Deserialize)]
struct Entry {
    digest: Digest,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Layout {
    fn open(path: &Path) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Marker {
            image_layout_version: String,
        }
        let root = path.canonicalize().map_err(Failure::file)?;
        let layout = Layout { root };
        let marker = layout.read(Path::new(MARKER), MAX_MARKER_BYTES);
        let marker = marker.map_err(|failure| match failure {
            Failure::File(error) if error.kind() != io::ErrorKind::PermissionDenied => {
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

    /// What the tag names; without one, the only artifact there is.
    fn tagged(&self, tag: Option<&str>) -> Result<Digest, Failure> {
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

    fn copy(
        &self,
        digest: Digest,
        target: &Path,
        (limit, policy_limit): (u64, u64),
        report: Report,
    ) -> Result<Parts, Failure> {
        let (manifest_digest, manifest) = self.manifest(digest)?;
        let plan = manifest.plan()?;
        let config = match plan.config {
            Some((ConfigKind::Wasm, config)) => {
                let bytes = self.small(config, &config_name(config), MAX_CONFIG_BYTES)?;
                Some(serde_json::from_slice(&bytes).map_err(Failure::Config)?)
            }
            _ => None,
        };
        let policy = match plan.policy {
            Some((index, layer)) => {
                let bytes = self.small(layer, &name(index, layer), policy_limit)?;
                Some(String::from_utf8(bytes).map_err(|_| Failure::PolicyText)?)
            }
            None => None,
        };
        let component = self.component(&plan, target, limit, report)?;
        Ok(Parts {
            identity: Identity::Oci {
                manifest_digest: digest,
            },
            component,
            artifact: Some(Artifact {
                manifest_digest,
                config,
                layer_digests: manifest.layers.iter().map(|layer| layer.digest).collect(),
                annotations: manifest.annotations,
                // It is from no registry in whose name others could be given it.
                kept: None,
            }),
            policy,
        })
    }

    /// The manifest of the artifact, chosen from the index if there is one.
    fn manifest(&self, digest: Digest) -> Result<(Digest, Manifest), Failure> {
        let expected = Expected {
            digest: Some(digest),
            ..Expected::default()
        };
        let index = match self.document(digest, expected)? {
            Document::Manifest(manifest) => return Ok((digest, manifest)),
            Document::Index(index) => index,
        };
        let chosen = index.select()?;
        match self.document(chosen.digest, expectation(chosen))? {
            Document::Manifest(manifest) => Ok((chosen.digest, manifest)),
            Document::Index(_) => Err(super::InvalidManifest::Nested.into()),
        }
    }

    fn document(&self, digest: Digest, expected: Expected) -> Result<Document, Failure> {
        let bytes = self.read(&blob_path(digest), MAX_MANIFEST_BYTES as u64);
        let bytes = bytes.map_err(|failure| missing(failure, digest))?;
        check(&bytes, expected, MANIFEST)?;
        Ok(Document::parse(&bytes)?)
    }

    /// A blob that is kept in memory.
    fn small(&self, blob: &Descriptor, what: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        if blob.size > limit {
            return Err(Failure::too_large(what, limit));
        }
        // One byte more tells a longer file from the one promised.
        let mut bytes = Vec::new();
        let file = self.blob(blob.digest)?;
        file.take(blob.size + 1)
            .read_to_end(&mut bytes)
            .map_err(Failure::file)?;
        check(&bytes, expectation(blob), what)?;
        Ok(bytes)
    }

    fn component(
        &self,
        plan: &Plan<'_>,
        target: &Path,
        limit: u64,
        report: Report,
    ) -> Result<Blob, Failure> {
        let (index, layer) = plan.component;
        let what = name(index, layer);
        if layer.size > limit {
            return Err(Failure::too_large(what, limit));
        }
        let diff_id = match plan.config {
            Some((ConfigKind::Image, config)) if plan.packed.is_some() => {
                let bytes = self.small(config, &config_name(config), MAX_CONFIG_BYTES)?;
                plan.diff_id(&bytes).map_err(Failure::Config)?
            }
            _ => None,
        };
        let source = Source {
            bytes: Watched {
                file: self.blob(layer.digest)?,
                done: 0,
                total: layer.size,
                report,
            },
            expected: expectation(layer),
            unpack: plan.unpack(diff_id, limit),
        };
        sink::copy(source, target).map_err(|stopped| Failure::stopped(stopped, &what))
    }

    fn blob(&self, digest: Digest) -> Result<File, Failure> {
        self.file(&blob_path(digest))
            .map_err(|failure| missing(failure, digest))
    }

    /// A whole file of at most `limit` bytes.
    fn read(&self, inside: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let file = self.file(inside)?;
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(Failure::file)?;
        if bytes.len() as u64 > limit {
            return Err(Failure::too_large(format!("`{}`", inside.display()), limit));
        }
        Ok(bytes)
    }

    /// Opens a file of the layout. Symbolic links may not lead out of it: who
    /// made the layout has no say in what else is read. A link that changes
    /// between the look and the opening gains nothing, as blobs are held to
    /// their digests and nothing of the other files is shown but tags.
    fn file(&self, inside: &Path) -> Result<File, Failure> {
        let real = self
            .root
            .join(inside)
            .canonicalize()
            .map_err(Failure::file)?;
        if !real.starts_with(&self.root) {
            return Err(LayoutError::Outside(inside.to_owned()).into());
        }
        // Opening a named pipe would wait for a writer.
        if !fs::metadata(&real).map_err(Failure::file)?.is_file() {
            return Err(Failure::NotAFile);
        }
        File::open(real).map_err(Failure::file)
    }
}

impl Entry {
    fn tag(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).map(String::as_str)
    }
}

/// Tells how far the reading is.
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
        // Nobody waits any more: the load was cancelled.
        if self.report.send((self.done, Some(self.total))).is_err() {
            return Err(io::Error::other("the load was cancelled"));
        }
        Ok(n)
    }
}

fn blob_path(digest: Digest) -> PathBuf {
    Path::new("blobs/sha256").join(digest.hex())
}

fn missing(failure: Failure, digest: Digest) -> Failure {
    match failure {
        Failure::File(error) if error.kind() == io::ErrorKind::NotFound => {
            LayoutError::Missing(digest).into()
        }
        other => other,
    }
}

/// A few of the tags, printable.
fn tags(entries: &[Entry]) -> String {
    const SHOWN: usize = 8;
    let known: Vec<&str> = entries.iter().filter_map(Entry::tag).take(SHOWN).collect();
    let text = match known.is_empty() {
        true => "none".to_owned(),
        false => known.join(", "),
    };
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}
