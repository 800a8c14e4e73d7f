//! Replaces one version of a component by another.
//!
//! The two directories are exchanged in one step where the system supports it, and with two
//! renames elsewhere; then the replaced one becomes the previous version. A note in the staging
//! directory, written beforehand, records what is to happen. If the process dies in between, the
//! next one that takes the root's lock finishes the replacement, or undoes it if nothing is
//! installed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Store;
use super::disk::{self, Exchanged, exchange, sync};
use super::error::StoreError;
use super::journal::{self, Journal};
use super::layout::ComponentFiles;
use super::staging::{self, Staging};
use crate::file::{self, FileLock, Links, create_private, read_regular};
use crate::reference::ComponentId;

/// Path within a staging directory of the new version, and after an exchange of the old one.
pub(super) const STAGED: &str = "component";
/// Path of the old version where directories cannot be exchanged.
pub(super) const ASIDE: &str = "replaced";
const NOTE: &str = "note.json";
/// Largest accepted note, in bytes; an id is far shorter.
const MAX_NOTE: u64 = 64 << 10;

/// The treatment of the replaced version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fate {
    /// It becomes the previous version.
    Kept,
    Removed,
}

/// Describes a replacement that is about to happen.
#[derive(Serialize, Deserialize)]
struct Note {
    component: ComponentId,
    /// The inode of the replaced directory.
    inode: u64,
    fate: Fate,
}

/// Returns the files of the staged version.
pub(super) fn staged(staging: &Staging, id: &ComponentId) -> ComponentFiles {
    ComponentFiles::within(staging.path().join(STAGED), id)
}

impl Store {
    /// Takes the root's lock, undoes an unfinished change of several components, and finishes the
    /// replacements that dead processes began.
    ///
    /// # Errors
    ///
    /// Also when that change cannot be undone: nothing may be built on half of a change.
    pub(super) fn lock(&self) -> Result<FileLock, StoreError> {
        let lock = staging::exclusive(&self.layout.lock(), self.patience)?;
        let undone = match Journal::read(&self.layout) {
            Ok(None) => Ok(()),
            Ok(Some(journal)) => {
                tracing::warn!("undoing an unfinished change of several components");
                journal.undo(&self.layout)
            }
            Err(error) => Err(error),
        };
        undone.map_err(StoreError::io("undo", self.layout.journal()))?;
        self.settle();
        Ok(lock)
    }

    /// Undoes or finishes what dead processes began, if there is anything.
    pub(super) fn settle_all(&self) {
        let staged = staging::all(&self.layout).unwrap_or_default();
        if journal::is_there(&self.layout) || staged.iter().any(|dir| dir.join(NOTE).exists()) {
            // On a read-only root this fails, and the root stays as it is.
            let _ = self.lock();
        }
    }

    /// Installs the staged version of a component in place of the installed one. The caller must
    /// hold the root's lock.
    pub(super) fn replace(
        &self,
        staging: &Staging,
        id: &ComponentId,
        fate: Fate,
    ) -> Result<(), StoreError> {
        let place = self.layout.component(id).dir;
        self.announce(staging, id, fate)?;
        let replaced = swap(staging.path(), &place).map_err(StoreError::io("replace", &place))?;
        sync(&self.layout.components())?;
        self.end_replacement(staging, id, fate, &replaced);
        Ok(())
    }

    /// Writes the note about the coming replacement.
    pub(super) fn announce(
        &self,
        staging: &Staging,
        id: &ComponentId,
        fate: Fate,
    ) -> Result<(), StoreError> {
        let place = self.layout.component(id).dir;
        let note = Note {
            component: id.clone(),
            inode: inode(&place).unwrap_or_default(),
            fate,
        };
        note.write(staging.path())
            .map_err(StoreError::io("replace", &place))
    }

    /// Keeps the replaced directory if `fate` says so, and removes the note.
    pub(super) fn end_replacement(
        &self,
        staging: &Staging,
        id: &ComponentId,
        fate: Fate,
        replaced: &Path,
    ) {
        if fate == Fate::Kept {
            self.keep_previous(replaced, id);
        }
        // The note must go before the directory that it describes is removed.
        let _ = fs::remove_file(staging.path().join(NOTE));
    }

    fn settle(&self) {
        for dir in staging::all(&self.layout).unwrap_or_default() {
            let Some(note) = Note::read(&dir) else {
                continue;
            };
            // A living process has finished its replacement already, or not begun it.
            if staging::is_owned(&dir) {
                continue;
            }
            let id = &note.component;
            match self.end(&dir, &note) {
                Ok(()) => _ = fs::remove_file(dir.join(NOTE)),
                Err(error) => {
                    tracing::warn!("the replacement of `{id}` could not be finished: {error}")
                }
            }
        }
    }

    fn end(&self, dir: &Path, note: &Note) -> io::Result<()> {
        let place = self.layout.component(&note.component).dir;
        let (staged, aside) = (dir.join(STAGED), dir.join(ASIDE));
        if aside.is_dir() && !place.exists() {
            fs::rename(&aside, &place)?;
            return file::sync(&self.layout.components());
        }
        let exchanged = || inode(&staged).is_some_and(|inode| inode == note.inode);
        let replaced = match aside.is_dir() {
            true => aside,
            false if exchanged() => staged,
            false => return Ok(()),
        };
        if note.fate == Fate::Kept && place.is_dir() {
            self.keep_previous(&replaced, &note.component);
        }
        Ok(())
    }

    /// Keeps the directory of a replaced version. The version kept before moves to its path in the
    /// staging directory, which is removed later. The new version is installed already, so a
    /// failure is only logged.
    fn keep_previous(&self, replaced: &Path, id: &ComponentId) {
        let (all, kept) = (self.layout.all_previous(), self.layout.previous(id).dir);
        let keep = || {
            create_private(&all)?;
            let grants = ComponentFiles::within(replaced.to_owned(), id);
            disk::remove_file(&grants.policy)?;
            disk::remove_file(&grants.policy_record)?;
            disk::remove_file(&grants.rules)?;
            // Some filesystems do not allow setting a directory's time.
            let now = std::time::SystemTime::now();
            let _ = File::open(replaced).and_then(|dir| dir.set_modified(now));
            if !kept.exists() {
                fs::rename(replaced, &kept)?;
            } else if exchange(replaced, &kept)? == Exchanged::No {
                fs::rename(&kept, replaced.with_extension("older"))?;
                fs::rename(replaced, &kept)?;
            }
            file::sync(&all)
        };
        if let Err(error) = keep() {
            tracing::warn!("the previous version of `{id}` is not kept: {error}");
        }
    }
}

impl Note {
    fn read(dir: &Path) -> Option<Self> {
        let note = read_regular(&dir.join(NOTE), MAX_NOTE, Links::Refuse).ok()?;
        serde_json::from_slice(&note).ok()
    }

    /// Writes the note to disk; must come before the replacement.
    fn write(&self, dir: &Path) -> io::Result<()> {
        let mut file = File::create(dir.join(NOTE))?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        file::sync(dir)
    }
}

/// Identifies a directory wherever it is moved; `None` on systems without inodes.
pub(super) fn inode(dir: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some(fs::metadata(dir).ok()?.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = dir;
        None
    }
}

/// Installs the staged directory in place of the installed one, and returns the new path of the
/// latter.
pub(super) fn swap(staging: &Path, place: &Path) -> io::Result<PathBuf> {
    let (staged, aside) = (staging.join(STAGED), staging.join(ASIDE));
    if exchange(&staged, place)? == Exchanged::Yes {
        return Ok(staged);
    }
    fs::rename(place, &aside)?;
    match fs::rename(&staged, place) {
        Ok(()) => Ok(aside),
        Err(error) => {
            fs::rename(&aside, place)?;
            Err(error)
        }
    }
}

/// Installs the staged directory where none is installed.
pub(super) fn appear(staging: &Path, place: &Path) -> io::Result<PathBuf> {
    let staged = staging.join(STAGED);
    fs::rename(&staged, place)?;
    Ok(staged)
}

/// Moves the installed directory aside, and returns its new path.
pub(super) fn vanish(staging: &Path, place: &Path) -> io::Result<PathBuf> {
    let aside = staging.join(ASIDE);
    fs::rename(place, &aside)?;
    Ok(aside)
}

/// Creates a directory with the same files, as hard links where the filesystem supports them.
/// Leaves out the files that are carried over from the installed version, and unfinished files of
/// other writers.
pub(super) fn link_all(from: &ComponentFiles, to: &ComponentFiles) -> io::Result<()> {
    create_private(&to.dir)?;
    let carried = [&from.policy, &from.policy_record, &from.rules, &from.used];
    for entry in fs::read_dir(&from.dir)? {
        let name = entry?.file_name();
        let (from, to) = (from.dir.join(&name), to.dir.join(&name));
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if hidden || carried.contains(&&from) {
            continue;
        }
        match fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)) {
            // Another process renamed this file onto its final name, which the loop links, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            linked => linked?,
        }
    }
    Ok(())
}
