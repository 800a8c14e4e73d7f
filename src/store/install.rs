//! Prepares a component's directory, and installs it.

use std::fs;

use jiff::Timestamp;
use serde_json::Value;

use super::change::{Change, Grants};
use super::disk::sync;
use super::error::StoreError;
use super::kept::{self, KeptFile};
use super::metadata::{self, ComponentInfo, Digests, Metadata, ValidationStamp};
use super::staging::Staging;
use super::{ComponentFiles, Installed, Rules, Store, evidence, replace};
use crate::file::create_private;
use crate::reference::{ComponentId, Reference};
use crate::schema::{Description, ToolRecord};
use crate::verify::{Evidence, Verified};

/// The content of a new component directory.
pub struct Installation {
    pub id: ComponentId,
    pub verified: Verified,
    pub description: Description,
    pub tools: Vec<ToolRecord>,
    /// The permissions that the artifact requests.
    pub requested_permissions: Option<Value>,
    /// The name of the package that it was found by.
    pub package: Option<Reference>,
    /// The path or address of the manifest that installs it.
    pub manifest: Option<String>,
    /// The evidence for its signature, if it has one.
    pub evidence: Option<Evidence>,
}

/// A component directory that is complete but not installed yet.
pub struct Prepared {
    pub(super) staging: Staging,
    pub metadata: Metadata,
    pub files: ComponentFiles,
}

/// The source of an installed component, compared with that of its replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The two sources are the same.
    Same,
    /// The installed one has no readable metadata.
    Unknown,
}

impl Store {
    /// Prepares a component directory in its staging directory.
    ///
    /// # Errors
    ///
    /// Any disk error; nothing is visible yet.
    pub fn prepare(
        &self,
        staging: Staging,
        installation: Installation,
    ) -> Result<Prepared, StoreError> {
        let fetched = installation.verified.fetched();
        let files = replace::staged(&staging, &installation.id);
        create_private(&files.dir).map_err(StoreError::io("create", &files.dir))?;
        fs::rename(&fetched.component.path, &files.wasm)
            .map_err(StoreError::io("move", &files.wasm))?;
        sync(&files.wasm)?;
        let kept = kept::keep(fetched.artifact.as_ref(), &files)?;
        let stamp = ValidationStamp::of(&files.wasm, fetched.component.digest)
            .map_err(StoreError::io("read", &files.wasm))?;
        if let Some(evidence) = &installation.evidence {
            evidence::write(evidence, &files)?;
        }
        let metadata = installation.metadata(stamp, kept);
        metadata
            .write_both(&files)
            .map_err(StoreError::io("write", &files.metadata))?;
        sync(&files.dir)?;
        Ok(Prepared {
            staging,
            metadata,
            files,
        })
    }

    /// Installs a prepared component. It replaces the one with the same id, and keeps its grants
    /// if both are known to have the same source.
    ///
    /// # Errors
    ///
    /// [`StoreError::IdTaken`] when the id belongs to another source. After any error the
    /// installed component is unchanged.
    pub fn install(&self, prepared: Prepared) -> Result<Installed, StoreError> {
        let change = Change::Install {
            prepared,
            grants: Grants::Kept,
            rules: Rules::Kept,
        };
        let installed = self.change_all(vec![change])?.pop();
        Ok(installed.unwrap_or_else(|| unreachable!("what was installed is returned")))
    }

    /// Refuses an id that belongs to another source.
    pub fn owned_by(&self, id: &ComponentId, source: &Reference) -> Result<(), StoreError> {
        self.owner(id, source).map(drop)
    }

    /// Compares the source of the installed component, read from either copy of its metadata, with
    /// `source`.
    pub(super) fn owner(&self, id: &ComponentId, source: &Reference) -> Result<Owner, StoreError> {
        let files = self.layout.component(id);
        let metadata =
            Metadata::read(&files.metadata).or_else(|_| Metadata::read(&files.metadata_copy));
        match metadata {
            Ok(metadata) if metadata.source.same_source(source) => Ok(Owner::Same),
            Ok(metadata) => Err(StoreError::IdTaken {
                id: id.clone(),
                owner: metadata.source.shown(),
            }),
            // A damaged component may be replaced: this repairs it.
            Err(_) => Ok(Owner::Unknown),
        }
    }

    /// Records that the source still has the same bytes, and the new evidence for their signature
    /// if it was verified again.
    pub fn refresh(
        &self,
        installed: &Installed,
        evidence: Option<&Evidence>,
    ) -> Result<(), StoreError> {
        let files = &installed.files;
        let _lock = self.lock()?;
        match evidence {
            Some(evidence) => evidence::write(evidence, files)?,
            None if installed.metadata.trust.signer().is_none() => {
                // It belongs to a signature that the component no longer has.
                let _ = fs::remove_file(&files.evidence);
            }
            None => {}
        }
        installed
            .metadata
            .write_both(files)
            .map_err(StoreError::io("write", &files.metadata))
    }
}

impl Installation {
    /// Returns the metadata that is stored with the component.
    fn metadata(self, stamp: ValidationStamp, kept: Option<Vec<KeptFile>>) -> Metadata {
        let (fetched, trust) = self.verified.into_parts();
        Metadata {
            format: metadata::FORMAT,
            component_id: self.id,
            created_at: Timestamp::now(),
            source: fetched.reference,
            package: self.package,
            identity: fetched.identity,
            digests: Digests {
                component: fetched.component.digest,
                manifest: fetched.artifact.map(|artifact| artifact.manifest_digest),
            },
            trust,
            receipt: fetched.receipt,
            validation_stamp: stamp,
            tools: self.tools,
            not_callable: Some(self.description.uncallable()),
            component_info: ComponentInfo {
                world: self.description.world,
                exports: self.description.exports,
                imports: self.description.imports,
            },
            requested_permissions: self.requested_permissions,
            kept,
            manifest: self.manifest,
        }
    }
}

/// Whether a sound component is installed that is another artifact than the new one.
pub(super) fn is_another(files: &ComponentFiles, new: &Metadata) -> bool {
    Metadata::read(&files.metadata).is_ok_and(|old| {
        old.digests != new.digests && old.validation_stamp.matches(&files.wasm).unwrap_or(false)
    })
}
