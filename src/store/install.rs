//! Lays out a component's directory, and puts it in its place.

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

/// What becomes a component directory.
pub struct Installation {
    pub id: ComponentId,
    pub verified: Verified,
    pub description: Description,
    pub tools: Vec<ToolRecord>,
    /// The permissions that the artifact asks for.
    pub requested_permissions: Option<Value>,
    /// The manifest that wants it to be installed.
    pub manifest: Option<String>,
    /// What proves its signature, where it has one.
    pub evidence: Option<Evidence>,
}

/// A component directory that is complete but not yet in its place.
pub struct Prepared {
    pub(super) staging: Staging,
    pub metadata: Metadata,
    pub files: ComponentFiles,
}

/// Where a component that is to be replaced came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The same source as what replaces it.
    Same,
    /// Both copies of its metadata are damaged, or there is none.
    Unknown,
}

impl Store {
    /// Lays out a component directory in its staging directory.
    ///
    /// # Errors
    ///
    /// Whatever the disk refuses; nothing is visible yet.
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

    /// Puts a prepared component in place, replacing the one of the same id,
    /// whose grants it keeps if both are known to be from one source.
    ///
    /// # Errors
    ///
    /// [`StoreError::IdTaken`] when the id belongs to another source; the old
    /// component is then untouched, as it is by every other error.
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

    /// Whether the component in place is from `source`, by either copy of its
    /// metadata.
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
            // A damaged component may be replaced: that is how it is mended.
            Err(_) => Ok(Owner::Unknown),
        }
    }

    /// Notes that the same bytes were found at their source again, with what
    /// proves their signature, where that was looked at anew.
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
                // That of a signature which the component no longer has.
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
    /// What is known of it from now on.
    fn metadata(self, stamp: ValidationStamp, kept: Option<Vec<KeptFile>>) -> Metadata {
        let (fetched, trust) = self.verified.into_parts();
        Metadata {
            format: metadata::FORMAT,
            component_id: self.id,
            created_at: Timestamp::now(),
            source: fetched.reference,
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

/// Whether a sound component is in place that is another artifact than the new one.
pub(super) fn is_another(files: &ComponentFiles, new: &Metadata) -> bool {
    Metadata::read(&files.metadata).is_ok_and(|old| {
        old.digests != new.digests && old.validation_stamp.matches(&files.wasm).unwrap_or(false)
    })
}
