//! Telling cheaply whether a small file or a directory is still the same.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Two changes within this time may leave the same times on a file.
const GRAIN: Duration = Duration::from_millis(50);

/// A file's identity, size and time; equal stamps mean the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    inode: u64,
    size: u64,
    modified: SystemTime,
    changed_ns: i64,
}

impl FileStamp {
    /// Of a file that can be read; nothing for any other.
    pub fn of(path: &Path) -> Option<Self> {
        FileStamp::from(&fs::metadata(path).ok()?)
    }

    /// The same, of a link and not of what it leads to.
    pub fn of_link(path: &Path) -> Option<Self> {
        FileStamp::from(&fs::symlink_metadata(path).ok()?)
    }

    /// Of an open file.
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
            changed_ns: metadata.ctime_nsec(),
            #[cfg(not(unix))]
            changed_ns: 0,
        })
    }

    /// Tells a file from another that is there at the same time; 0 on systems
    /// that have nothing of the kind.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Whether the last change is far enough from now, by whatever clock, that
    /// another one would give another stamp.
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

    #[test]
    fn a_clock_that_was_wrong_settles_nothing_late() {
        assert!(settled_at(SystemTime::now() + Duration::from_secs(1 << 30)));
        assert!(settled_at(SystemTime::UNIX_EPOCH));
    }
}
