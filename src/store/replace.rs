//! One version of a component in place of another.
//!
//! The two directories change places in one step where the system can, in two
//! renames elsewhere; then the replaced one becomes the way back. A note in the
//! staging directory says beforehand what is to happen. Who takes the root's
//! lock after a process that died in between finishes what it began, or undoes
//! it where nothing is in place.

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

/// Where in a staging directory the new version is, and the old one after it.
pub(super) const STAGED: &str = "component";
/// Where the old one is where directories cannot change places.
pub(super) const ASIDE: &str = "replaced";
const NOTE: &str = "note.json";
/// In bytes; an id is far shorter.
const MAX_NOTE: u64 = 64 << 10;

/// What becomes of the version that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fate {
    /// It is the way back.
    Kept,
    Removed,
}

/// What a replacement is about to do.
#[derive(Serialize, Deserialize)]
struct Note {
    component: ComponentId,
    /// Of the directory that is replaced.
    inode: u64,
    fate: Fate,
}

/// The files of the version that is to be put in place.
pub(super) fn staged(staging: &Staging, id: &ComponentId) -> ComponentFiles {
    ComponentFiles::within(staging.path().join(STAGED), id)
}

impl Store {
    /// Takes the root's lock, undoes a change of several components that did
    /// not end, and ends what else dead processes began under it.
    ///
    /// # Errors
    ///
    /// Also when that change cannot be undone: nothing may be built on half of
    /// one.
    pub(super) fn lock(&self) -> Result<FileLock, StoreError> {
        let lock = staging::exclusive(&self.layout.lock(), self.patience)?;
        let undone = match Journal::read(&self.layout) {
            Ok(None) => Ok(()),
            Ok(Some(journal)) => {
                tracing::warn!("undoing a change of several components that did not end");
                journal.undo(&self.layout)
            }
            Err(error) => Err(error),
        };
        undone.map_err(StoreError::io("undo", self.layout.journal()))?;
        self.settle();
        Ok(lock)
    }

    /// Undoes or ends what dead processes began, if there is anything.
    pub(super) fn settle_all(&self) {
        let staged = staging::all(&self.layout).unwrap_or_default();
        if journal::is_there(&self.layout) || staged.iter().any(|dir| dir.join(NOTE).exists()) {
            // A root that can only be read stays as it is.
            let _ = self.lock();
        }
    }

    /// Puts the staged version of a component in place of the one that is
    /// there. The root's lock is held.
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

    /// Notes what is about to be replaced.
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

    /// Does with the replaced directory what the note says, and removes it.
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
        // Else it would speak of a directory that is being removed.
        let _ = fs::remove_file(staging.path().join(NOTE));
    }

    fn settle(&self) {
        for dir in staging::all(&self.layout).unwrap_or_default() {
            let Some(note) = Note::read(&dir) else {
                continue;
            };
            // Whoever lives has ended it already, or not begun.
            if staging::is_owned(&dir) {
                continue;
            }
            let id = &note.component;
            match self.end(&dir, &note) {
                Ok(()) => _ = fs::remove_file(dir.join(NOTE)),
                Err(error) => tracing::warn!("the replacement of `{id}` did not end: {error}"),
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

    /// Keeps the directory of a replaced version; what was kept before takes
    /// its place, to go where it was to go. The component is in place already,
    /// so that this may fail.
    fn keep_previous(&self, replaced: &Path, id: &ComponentId) {
        let (all, kept) = (self.layout.all_previous(), self.layout.previous(id).dir);
        let keep = || {
            create_private(&all)?;
            let grants = ComponentFiles::within(replaced.to_owned(), id);
            disk::remove_file(&grants.policy)?;
            disk::remove_file(&grants.policy_record)?;
            disk::remove_file(&grants.rules)?;
            // Not every filesystem lets a directory's time be set.
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

    /// It is on disk before what it speaks of can be.
    fn write(&self, dir: &Path) -> io::Result<()> {
        let mut file = File::create(dir.join(NOTE))?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        file::sync(dir)
    }
}

/// Tells the directory wherever it is; none where directories are not told apart.
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

/// Puts what is staged in place, and returns where the replaced one is now.
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

/// Puts what is staged where nothing is yet.
pub(super) fn appear(staging: &Path, place: &Path) -> io::Result<PathBuf> {
    let staged = staging.join(STAGED);
    fs::rename(&staged, place)?;
    Ok(staged)
}

/// Takes away what is in place, and returns where it is now.
pub(super) fn vanish(staging: &Path, place: &Path) -> io::Result<PathBuf> {
    let aside = staging.join(ASIDE);
    fs::rename(place, &aside)?;
    Ok(aside)
}

/// A directory of the same files, but not of what is carried over from the
/// version in place, nor of the half-written files of others; links where the
/// filesystem has them.
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
            // Renamed away in this moment, over one that was or will be met.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            linked => linked?,
        }
    }
    Ok(())
}
