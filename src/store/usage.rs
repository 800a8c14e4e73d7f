//! When a component was last called: the time of an empty file beside it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;

use super::ComponentFiles;
use crate::file::{Links, open_regular_with};

/// Notes that the component is in use now.
///
/// # Errors
///
/// What the disk refuses, as a root does that can only be read.
pub fn touch(files: &ComponentFiles) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    let file = open_regular_with(&files.used, &mut options, Links::Refuse)?;
    file.set_modified(SystemTime::now())
}

/// The last time that was noted.
pub fn last_used(files: &ComponentFiles) -> Option<Timestamp> {
    Timestamp::try_from(modified(&files.used)?).ok()
}

/// When the component was last called, put in place or granted something:
/// what came just now is about to be used.
pub fn last_wanted(files: &ComponentFiles) -> Option<SystemTime> {
    modified(&files.used).max(modified(&files.dir))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}
