//! What several directories were before they are changed together.
//!
//! The journal is on disk before the first of them changes, and its removal
//! makes the change. Whoever takes the root's lock and finds one undoes what it
//! speaks of: its process died in between, or could not undo it itself.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::disk::{self, Exchanged, exchange};
use super::layout::Layout;
use super::replace::{ASIDE, STAGED, inode};
use crate::file::{self, Links, read_regular};
use crate::reference::ComponentId;

/// Raised when a reader of the previous version would misread the file.
const FORMAT: u32 = 1;
/// In bytes.
const MAX_FILE: u64 = 16 << 20;

/// The directories that change together.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    format: u32,
    steps: Vec<Step>,
}

/// What is about to happen to one component's directory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub component: ComponentId,
    /// The name of the staging directory that holds the new version, and the
    /// old one after it.
    pub staging: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Appears,
    /// `inode` is that of the directory that is replaced.
    IsReplaced {
        inode: u64,
    },
    Vanishes,
}

impl Journal {
    pub fn new(steps: Vec<Step>) -> Self {
        Journal {
            format: FORMAT,
            steps,
        }
    }

    /// The one that an unfinished change left.
    ///
    /// # Errors
    ///
    /// When there is one that cannot be read.
    pub fn read(layout: &Layout) -> io::Result<Option<Self>> {
        let text = match read_regular(&layout.journal(), MAX_FILE, Links::Refuse) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let journal: Journal = serde_json::from_slice(&text)?;
        match journal.format {
            FORMAT => Ok(Some(journal)),
            format => Err(io::Error::other(format!("format {format} is not {FORMAT}"))),
        }
    }

    /// It is on disk before what it speaks of can be.
    pub fn write(&self, layout: &Layout) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(layout.downloads())?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.as_file().sync_all()?;
        file.persist(layout.journal())?;
        file::sync(layout.root())
    }

    /// Puts every directory back to where it was, and removes the journal. Also
    /// after having been interrupted in this itself.
    pub fn undo(&self, layout: &Layout) -> io::Result<()> {
        for step in self.steps.iter().rev() {
            step.undo(layout)?;
        }
        file::sync(&layout.components())?;
        disk::remove_file(&layout.journal())?;
        file::sync(layout.root())
    }

    /// Removes the journal: what it speaks of is done.
    pub fn done(layout: &Layout) -> io::Result<()> {
        fs::remove_file(layout.journal())?;
        file::sync(layout.root())
    }
}

impl Step {
    fn undo(&self, layout: &Layout) -> io::Result<()> {
        let place = layout.component(&self.component).dir;
        let staging: PathBuf = layout.downloads().join(&self.staging);
        let (staged, aside) = (staging.join(STAGED), staging.join(ASIDE));
        match self.kind {
            Kind::Appears if place.is_dir() && !staged.exists() => fs::rename(&place, &staged),
            Kind::IsReplaced { .. } | Kind::Vanishes if aside.is_dir() => {
                if place.exists() {
                    fs::rename(&place, &staged)?;
                }
                fs::rename(&aside, &place)
            }
            Kind::IsReplaced { inode: old } if inode(&staged) == Some(old) => {
                match exchange(&staged, &place)? {
                    Exchanged::Yes => Ok(()),
                    Exchanged::No => {
                        fs::rename(&staged, &aside)?;
                        fs::rename(&place, &staged)?;
                        fs::rename(&aside, &place)
                    }
                }
            }
            Kind::Appears | Kind::IsReplaced { .. } | Kind::Vanishes => Ok(()),
        }
    }
}

/// Whether an unfinished change is to be undone.
pub(super) fn is_there(layout: &Layout) -> bool {
    fs::symlink_metadata(layout.journal()).is_ok()
}
