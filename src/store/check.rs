//! Checks whether a component directory still has the installed bytes.
//!
//! A quick check compares stamps and takes no lock. If it fails, the component is
//! hashed; if its bytes are right, its metadata is renewed under the root's lock. If
//! another process replaced the directory meanwhile, the check starts over.

use std::fs;

use super::disk::foreign;
use super::error::StoreError;
use super::journal;
use super::layout::ComponentFiles;
use super::metadata::{FORMAT, Metadata, ValidationStamp};
use super::{Damage, Entry, FileStamp, Installed, Store};
use crate::digest::Digest;
use crate::reference::ComponentId;

/// The proof that a component's bytes are unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Stamp,
    Nothing,
}

/// The stamps of a component's files, to notice that they were replaced meanwhile.
#[derive(PartialEq, Eq)]
pub(super) struct Seen([Option<FileStamp>; 3]);

impl Seen {
    pub fn of(files: &ComponentFiles) -> Self {
        Seen([&files.wasm, &files.metadata, &files.metadata_copy].map(|path| FileStamp::of(path)))
    }
}

impl Store {
    /// Returns the component in this directory, sound or damaged; `None` if it is not installed.
    pub fn entry(&self, id: &ComponentId) -> Result<Option<Entry>, StoreError> {
        self.settle_change();
        self.look(id, Trust::Stamp)
    }

    /// Like [`Store::entry`], for the ids from [`Store::ids`], which already undid an unfinished
    /// change.
    pub(super) fn listed_entry(&self, id: &ComponentId) -> Result<Option<Entry>, StoreError> {
        self.look(id, Trust::Stamp)
    }

    /// Like [`Store::entry`], but hashes the component even if its stamp matches.
    pub fn entry_hashed(&self, id: &ComponentId) -> Result<Option<Entry>, StoreError> {
        self.settle_change();
        self.look(id, Trust::Nothing)
    }

    /// Undoes a change of several components, or waits for it to end.
    fn settle_change(&self) {
        if journal::is_there(&self.layout) {
            self.settle_all();
        }
    }

    fn look(&self, id: &ComponentId, trust: Trust) -> Result<Option<Entry>, StoreError> {
        let files = self.layout.component(id);
        if !files.dir.is_dir() {
            self.settle_all();
        }
        loop {
            if !files.dir.is_dir() {
                return Ok(None);
            }
            if trust == Trust::Stamp
                && let Some(metadata) = glance(&files)
            {
                return Ok(Some(Entry::sound(metadata, files)));
            }
            let seen = Seen::of(&files);
            let found = examine(&files, trust);
            let lock = self.lock();
            if Seen::of(&files) != seen || !files.dir.is_dir() {
                continue;
            }
            return Ok(Some(match found {
                Ok(metadata) => {
                    // On a read-only root the renewed metadata is not written, and
                    // the next start repeats the check.
                    if let Err(error) = lock.and_then(|_lock| renew(&metadata, &files)) {
                        tracing::debug!(%error, "metadata not renewed");
                    }
                    Entry::sound(metadata, files)
                }
                Err((damage, reason)) => Entry::Damaged {
                    id: id.clone(),
                    damage,
                    reason,
                },
            }));
        }
    }
}

impl Entry {
    fn sound(metadata: Metadata, files: ComponentFiles) -> Self {
        Entry::Sound(Box::new(Installed { metadata, files }))
    }
}

/// Returns the metadata, if owners, formats and stamps are all in order; nothing is hashed.
fn glance(files: &ComponentFiles) -> Option<Metadata> {
    if foreign(files).is_some() {
        return None;
    }
    let metadata = Metadata::read(&files.metadata).ok()?;
    let stamped = metadata.validation_stamp.matches(&files.wasm).ok()?;
    (stamped && !metadata.is_outdated()).then_some(metadata)
}

/// Hashes a component whose stamp does not match, and reads the second copy of the
/// metadata when the first is unreadable.
fn examine(files: &ComponentFiles, trust: Trust) -> Result<Metadata, (Damage, String)> {
    if let Some(reason) = foreign(files) {
        return Err((Damage::Foreign, reason));
    }
    let mut metadata = Metadata::read_either(files).map_err(|error| {
        let reason = format!("its metadata cannot be read ({error})");
        (Damage::Records, reason)
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
    if !stamped || trust == Trust::Nothing {
        let expected = metadata.digests.component;
        // Hashing a file of any size could take for ever.
        let (size, installed) = (
            fs::metadata(&files.wasm).map_err(unreadable)?.len(),
            metadata.validation_stamp.file_size,
        );
        if size != installed {
            let reason = format!("its code has {size} bytes, but {installed} were installed");
            return Err((Damage::Content, reason));
        }
        let (digest, _) = Digest::of_file(&files.wasm).map_err(unreadable)?;
        if digest != expected {
            let reason = format!("its code is {digest}, but {expected} was installed");
            return Err((Damage::Content, reason));
        }
        metadata.validation_stamp = ValidationStamp::of(&files.wasm, digest).map_err(unreadable)?;
    }
    metadata.format = FORMAT;
    Ok(metadata)
}

fn renew(metadata: &Metadata, files: &ComponentFiles) -> Result<(), StoreError> {
    metadata
        .write_both(files)
        .map_err(StoreError::io("write", &files.metadata))
}
