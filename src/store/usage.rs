//! When a component was last called: the modification time of an empty file beside
//! it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;

use super::ComponentFiles;
use crate::file::{Links, open_regular_with};

/// Records that the component is being called now.
///
/// # Errors
///
/// When the file cannot be written, for example on a read-only root.
pub fn touch(files: &ComponentFiles) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    let file = open_regular_with(&files.used, &mut options, Links::Refuse)?;
    file.set_modified(SystemTime::now())
}

/// Returns the recorded time of the last call.
pub fn last_used(files: &ComponentFiles) -> Option<Timestamp> {
    Timestamp::try_from(modified(&files.used)?).ok()
}

/// When the component was last called, installed or granted something. A component
/// that was just installed is probably about to be called.
pub fn last_wanted(files: &ComponentFiles) -> Option<SystemTime> {
    modified(&files.used).max(modified(&files.dir))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}
