//! The directory tree, as documented to users.
//!
//! ```text
//! <root>/
//!   config.toml
//!   downloads/temp-XXXX/           staging, on the same filesystem
//!   downloads/temp-XXXX/note.json  what the staged version is about to replace
//!   change.json                    how to undo a change of several components under way
//!   downloads/parts/<digest>       downloads that broke off, for the next to continue
//!   components/<id>/
//!     <id>.wasm                    the component
//!     <id>.metadata.json           tools, schemas, stamp, source, digests, receipt
//!     <id>.metadata.copy.json      the same, for when that is damaged
//!     <id>.evidence.json           what proves its signature, where it has one
//!     <id>.cwasm                   compiled for this engine
//!     <id>.used                    its time is that of the last call
//!     <id>.blob-<digits>           what the registry had besides the component:
//!                                  OCI manifest, config, …, by their SHA-256
//!     <id>.policy.yaml             what is granted; nothing without it
//!     <id>.policy.meta.json        who granted what, and when
//!   quarantine/<id>-<time>/        components whose bytes changed, for a look
//!   previous/<id>/                 the version that the last one replaced
//!   compiled/<digest>-<engine>.cwasm   the same files, for components with the same bytes
//!   catalogs.json                  the catalogs besides the bundled one
//!   catalogs/<digest>.json         what was fetched of them
//!   names.json                     which tool each tool name means
//!   locks/<id>.lock                held while the component is changed
//!   secrets/<id>.json              secrets of a component, installed or not
//! ```

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::reference::ComponentId;

/// Where everything under one root lives.
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

    /// Where the catalogs besides the bundled one are from.
    pub fn catalogs(&self) -> PathBuf {
        self.root.join("catalogs.json")
    }

    /// What was fetched of them.
    pub fn catalog_copies(&self) -> PathBuf {
        self.root.join("catalogs")
    }

    /// Staging directories of loads under way.
    pub fn downloads(&self) -> PathBuf {
        self.root.join("downloads")
    }

    /// Parts of downloads that broke off, by the digest of the whole.
    pub fn parts(&self) -> PathBuf {
        self.downloads().join("parts")
    }

    pub fn components(&self) -> PathBuf {
        self.root.join("components")
    }

    /// Components that are not what was installed, out of the way.
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// The versions that were replaced last.
    pub fn all_previous(&self) -> PathBuf {
        self.root.join("previous")
    }

    /// The version of a component before the one in place.
    pub fn previous(&self, id: &ComponentId) -> ComponentFiles {
        ComponentFiles::within(self.all_previous().join(id.as_str()), id)
    }

    /// Compiled code by the digest of its component, for those that have it.
    pub fn compiled(&self) -> PathBuf {
        self.root.join("compiled")
    }

    /// Held by the process that changes this component, for as long as it does.
    pub fn component_lock(&self, id: &ComponentId) -> PathBuf {
        self.root.join("locks").join(format!("{id}.lock"))
    }

    /// Which tool each name means that agents call.
    pub fn names(&self) -> PathBuf {
        self.root.join("names.json")
    }

    /// Readable by its owner alone, like all that is in it.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// How to undo a change of several components that is under way.
    pub fn journal(&self) -> PathBuf {
        self.root.join("change.json")
    }

    /// Held for the moment in which a directory appears, changes or vanishes.
    pub fn lock(&self) -> PathBuf {
        self.root.join(".lock")
    }

    pub fn component(&self, id: &ComponentId) -> ComponentFiles {
        ComponentFiles::within(self.components().join(id.as_str()), id)
    }
}

/// The files of one component, in place or staged.
#[derive(Debug, Clone)]
pub struct ComponentFiles {
    pub dir: PathBuf,
    pub wasm: PathBuf,
    pub metadata: PathBuf,
    /// A second copy of the metadata.
    pub metadata_copy: PathBuf,
    /// What proves the signature; there where one was verified.
    pub evidence: PathBuf,
    pub cwasm: PathBuf,
    /// Empty; its time is that of the last call.
    pub used: PathBuf,
    pub policy: PathBuf,
    pub policy_record: PathBuf,
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
            dir,
        }
    }

    /// A document or blob of the artifact that is not the component.
    pub fn kept(&self, digest: &Digest) -> PathBuf {
        self.wasm.with_extension(format!("blob-{}", digest.hex()))
    }

    /// Every file that belongs into the directory, besides those
    /// [kept](Self::kept).
    pub fn all(&self) -> [PathBuf; 8] {
        [
            &self.wasm,
            &self.metadata,
            &self.metadata_copy,
            &self.evidence,
            &self.cwasm,
            &self.used,
            &self.policy,
            &self.policy_record,
        ]
        .map(PathBuf::clone)
    }
}
