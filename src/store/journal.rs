//! Records how to undo a change of several directories.
//!
//! The journal is written to disk before the first directory changes, and removing it commits the
//! change. A process that takes the root's lock and finds a journal undoes the change: the process
//! that wrote it died, or failed to undo the change itself.

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
/// Largest accepted file, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The directories that are changed together.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    format: u32,
    steps: Vec<Step>,
}

/// The change to one component's directory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Step {
    pub component: ComponentId,
    /// The name of the staging directory, which holds the new version before the change and the
    /// old one after it.
    pub staging: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Appears,
    /// `inode` is that of the replaced directory.
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

    /// Reads the journal of an unfinished change.
    ///
    /// # Errors
    ///
    /// When it exists but cannot be read.
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

    /// Writes the journal to disk; must come before the changes that it describes.
    pub fn write(&self, layout: &Layout) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(layout.downloads())?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.as_file().sync_all()?;
        file.persist(layout.journal())?;
        file::sync(layout.root())
    }

    /// Moves every directory back and removes the journal. Can be repeated after an interruption.
    pub fn undo(&self, layout: &Layout) -> io::Result<()> {
        for step in self.steps.iter().rev() {
            step.undo(layout)?;
        }
        file::sync(&layout.components())?;
        disk::remove_file(&layout.journal())?;
        file::sync(layout.root())
    }

    /// Removes the journal, which commits the change.
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

/// Whether there is an unfinished change to undo.
pub(super) fn is_there(layout: &Layout) -> bool {
    fs::symlink_metadata(layout.journal()).is_ok()
}
