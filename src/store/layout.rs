//! The directory tree, as documented to users.
//!
//! ```text
//! <root>/
//!   config.toml
//!   downloads/temp-XXXX/           staging, on the same filesystem
//!   downloads/temp-XXXX/note.json  the version that the staged one is about to replace
//!   change.json                    how to undo a running change of several components
//!   downloads/parts/<digest>       interrupted downloads, for the next one to continue
//!   components/<id>/
//!     <id>.wasm                    the component
//!     <id>.metadata.json           tools, schemas, stamp, source, digests, receipt
//!     <id>.metadata.copy.json      a copy, in case that is damaged
//!     <id>.evidence.json           the evidence for its signature, if it has one
//!     <id>.cwasm                   compiled for this engine
//!     <id>.used                    empty; its mtime is the time of the last call
//!     <id>.blob-<digits>           other documents and blobs of the artifact:
//!                                  OCI manifest, config, …, by their SHA-256
//!     <id>.policy.yaml             the grants; without it nothing is granted
//!     <id>.policy.meta.json        the origin and time of each grant
//!     <id>.tools.json              its tool rules, from a manifest
//!   quarantine/<id>-<time>/        components whose bytes changed, for inspection
//!   previous/<id>/                 the previously installed version
//!   compiled/<digest>-<engine>.cwasm   shared by components with the same bytes
//!   catalogs.json                  the list of additional catalogs
//!   catalogs/<digest>.json         their fetched copies
//!   catalogs/<digest>.etag         the web server's tag of that copy
//!   names.json                     the tool that each name belongs to
//!   locks/<id>.lock                held while the component is changed
//!   secrets/<id>.json              secrets of a component, installed or not
//! ```

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::reference::ComponentId;

/// The paths of everything under one root.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Layout { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// Returns the path of the list of additional catalogs.
    pub fn catalogs(&self) -> PathBuf {
        self.root.join("catalogs.json")
    }

    /// Returns the directory of the fetched catalogs.
    pub fn catalog_copies(&self) -> PathBuf {
        self.root.join("catalogs")
    }

    /// Returns the directory of the staging directories.
    pub fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    /// Returns the directory of the parts of interrupted downloads. Their names are the digests of
    /// the complete files.
    pub fn parts(&self) -> PathBuf {
        self.downloads().join("parts")
    }

    pub fn components(&self) -> PathBuf {
        self.root.join("components")
    }

    /// Returns the directory of components that were moved aside because their bytes changed.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// Returns the directory of all previous versions.
    pub fn all_previous(&self) -> PathBuf {
        self.root.join("previous")
    }

    /// Returns the files of the previous version of a component.
    pub fn previous(&self, id: &ComponentId) -> ComponentFiles {
        ComponentFiles::within(self.all_previous().join(id.as_str()), id)
    }

    /// Returns the directory of native code, which components with the same bytes share.
    pub fn compiled(&self) -> PathBuf {
        self.root.join("compiled")
    }

    /// Returns the path of the lock that a process holds while it changes this component.
    pub fn component_lock(&self, id: &ComponentId) -> PathBuf {
        self.root.join("locks").join(format!("{id}.lock"))
    }

    /// Returns the path of the file that maps each tool name to a tool.
    pub fn names(&self) -> PathBuf {
        self.root.join("names.json")
    }

    /// Returns the directory of secrets, which only its owner can read.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Returns the path of the journal: how to undo a running change of several components.
    pub fn journal(&self) -> PathBuf {
        self.root.join("change.json")
    }

    /// Returns the path of the lock held briefly while a directory appears, changes or vanishes.
    pub fn lock(&self) -> PathBuf {
        self.root.join(".lock")
    }

    pub fn component(&self, id: &ComponentId) -> ComponentFiles {
        ComponentFiles::within(self.components().join(id.as_str()), id)
    }
}

/// The files of one component, installed or staged.
#[derive(Debug, Clone)]
pub struct ComponentFiles {
    pub dir: PathBuf,
    pub wasm: PathBuf,
    pub metadata: PathBuf,
    /// A second copy of the metadata.
    pub metadata_copy: PathBuf,
    /// The evidence for the signature; exists if one was verified.
    pub evidence: PathBuf,
    pub cwasm: PathBuf,
    /// Empty; its modification time is the time of the last call.
    pub used: PathBuf,
    pub policy: PathBuf,
    pub policy_record: PathBuf,
    /// The tool rules from a manifest.
    pub rules: PathBuf,
}

impl ComponentFiles {
    pub fn within(dir: PathBuf, id: &ComponentId) -> Self {
        let file = |suffix: &str| dir.join(format!("{id}.{suffix}"));
        ComponentFiles {
            wasm: file("wasm"),
            metadata: file("metadata.json"),
            metadata_copy: file("metadata.copy.json"),
            evidence: file("evidence.json"),
            cwasm: file("cwasm"),
            used: file("used"),
            policy: file("policy.yaml"),
            policy_record: file("policy.meta.json"),
            rules: file("tools.json"),
            dir,
        }
    }

    /// Returns the path of a kept document or blob of the artifact, other than the component.
    pub fn kept(&self, digest: &Digest) -> PathBuf {
        self.wasm.with_extension(format!("blob-{}", digest.hex()))
    }

    /// Returns all files of the directory except the [kept](Self::kept) ones.
    pub fn all(&self) -> [PathBuf; 9] {
        [
            &self.wasm,
            &self.metadata,
            &self.metadata_copy,
            &self.evidence,
            &self.cwasm,
            &self.used,
            &self.policy,
            &self.policy_record,
            &self.rules,
        ]
        .map(PathBuf::clone)
    }
}
