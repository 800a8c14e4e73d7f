//! Cheap detection of changes to a small file or a directory.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Two changes within this time may leave the same timestamps on a file.
const GRAIN: Duration = Duration::from_millis(50);

/// A file's identity, size and time; equal stamps mean the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    inode: u64,
    size: u64,
    modified: SystemTime,
    /// The inode's ctime in seconds and nanoseconds since the epoch; zero on systems
    /// without one.
    changed: (i64, i64),
}

impl FileStamp {
    /// Returns the stamp of a file, following links; `None` if it cannot be read.
    pub fn of(path: &Path) -> Option<Self> {
        FileStamp::from(&fs::metadata(path).ok()?)
    }

    /// Returns the stamp of the link itself, not of its target.
    pub fn of_link(path: &Path) -> Option<Self> {
        FileStamp::from(&fs::symlink_metadata(path).ok()?)
    }

    /// Returns the stamp of an open file.
    pub fn of_file(file: &fs::File) -> Option<Self> {
        FileStamp::from(&file.metadata().ok()?)
    }

    fn from(metadata: &fs::Metadata) -> Option<Self> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Some(FileStamp {
            #[cfg(unix)]
            inode: metadata.ino(),
            #[cfg(not(unix))]
            inode: 0,
            size: metadata.len(),
            modified: metadata.modified().ok()?,
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            #[cfg(not(unix))]
            changed: (0, 0),
        })
    }

    /// Distinguishes two files that exist at the same time; 0 on systems without
    /// inodes.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether the last change is old enough that another change now would give
    /// another stamp. A time in the future counts too: the clock may have been set
    /// back.
    pub fn is_settled(&self) -> bool {
        match self.modified.elapsed() {
            Ok(age) => age > GRAIN,
            Err(ahead) => ahead.duration() > GRAIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled_at(time: SystemTime) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_modified(time).unwrap();
        FileStamp::of(file.path()).unwrap().is_settled()
    }

    #[test]
    fn what_changed_just_now_may_change_again_unseen() {
        assert!(!settled_at(SystemTime::now()));
        assert!(settled_at(SystemTime::now() - Duration::from_secs(1)));
    }

    #[cfg(unix)]
    #[test]
    fn a_change_with_the_modification_time_put_back_is_seen() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let changed = |file: &fs::Metadata| (file.ctime(), file.ctime_nsec());
        let before = fs::metadata(file.path()).unwrap();
        let stamp = FileStamp::of(file.path()).unwrap();
        // Only the ctime differs; the system counts it in steps.
        while changed(&fs::metadata(file.path()).unwrap()) == changed(&before) {
            let modified = before.modified().unwrap();
            file.as_file().set_modified(modified).unwrap();
        }
        assert_ne!(FileStamp::of(file.path()).unwrap(), stamp);
    }

    #[test]
    fn a_clock_that_was_wrong_settles_nothing_late() {
        assert!(settled_at(SystemTime::now() + Duration::from_secs(1 << 30)));
        assert!(settled_at(SystemTime::UNIX_EPOCH));
    }
}
