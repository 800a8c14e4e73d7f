//! Whether a component directory is what was installed.
//!
//! A glance compares stamps and takes no lock. What it does not find in order
//! is looked at again under the root's lock, where no other process can put
//! another version in place between two reads, and mended if it can be.

use std::fs::File;

use super::error::StoreError;
use super::layout::ComponentFiles;
use super::metadata::{FORMAT, Metadata, ValidationStamp};
use super::{Damage, Entry, Installed, Store, staging};
use crate::digest::Digest;
use crate::reference::ComponentId;

impl Store {
    /// One component directory in whatever state, if there is one by this id.
    pub fn entry(&self, id: &ComponentId) -> Result<Option<Entry>, StoreError> {
        let files = self.layout.component(id);
        if !files.dir.is_dir() {
            return Ok(None);
        }
        if let Some(metadata) = glance(&files) {
            return Ok(Some(Entry::sound(metadata, files)));
        }
        let lock = staging::exclusive(&self.layout.lock());
        if !files.dir.is_dir() {
            return Ok(None);
        }
        Ok(Some(match examine(&files, lock.as_ref().ok()) {
            Ok(metadata) => Entry::sound(metadata, files),
            Err((damage, reason)) => Entry::Damaged {
                id: id.clone(),
                damage,
                reason,
            },
        }))
    }
}

impl Entry {
    fn sound(metadata: Metadata, files: ComponentFiles) -> Self {
        Entry::Sound(Box::new(Installed { metadata, files }))
    }
}

/// The metadata, if all of it is in order at first sight.
fn glance(files: &ComponentFiles) -> Option<Metadata> {
    let metadata = Metadata::read(&files.metadata).ok()?;
    let stamped = metadata.validation_stamp.matches(&files.wasm).ok()?;
    (stamped && !metadata.is_outdated()).then_some(metadata)
}

/// Hashes what has another stamp, and takes the second copy for metadata that
/// cannot be read. With the lock, what was found is written down.
fn examine(files: &ComponentFiles, lock: Option<&File>) -> Result<Metadata, (Damage, String)> {
    let mut metadata = Metadata::read(&files.metadata).or_else(|error| {
        tracing::debug!("`{}`: {error}", files.metadata.display());
        let reason = format!("its metadata cannot be read ({error})");
        Metadata::read(&files.metadata_copy).map_err(|_| (Damage::Records, reason))
    })?;
    let unreadable = |error| {
        (
            Damage::Content,
            format!("its code cannot be read ({error})"),
        )
    };
    let stamped = metadata
        .validation_stamp
        .matches(&files.wasm)
        .map_err(unreadable)?;
    if !stamped {
        let expected = metadata.digests.component;
        let (digest, _) = Digest::of_file(&files.wasm).map_err(unreadable)?;
        if digest != expected {
            let reason = format!("its code is {digest}, but {expected} was installed");
            return Err((Damage::Content, reason));
        }
        metadata.validation_stamp = ValidationStamp::of(&files.wasm, digest).map_err(unreadable)?;
    }
    metadata.format = FORMAT;
    // A read-only root does all this again at the next start; nothing is lost.
    if lock.is_some()
        && let Err(error) = metadata.write_both(files)
    {
        tracing::debug!(%error, "metadata not renewed");
    }
    Ok(metadata)
}
