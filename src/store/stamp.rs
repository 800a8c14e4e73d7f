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
    /// When its inode last changed, in seconds and nanoseconds since the epoch;
    /// zero on systems without such a time.
    changed: (i64, i64),
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
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            #[cfg(not(unix))]
            changed: (0, 0),
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

    #[cfg(unix)]
    #[test]
    fn a_change_with_the_modification_time_put_back_is_seen() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let changed = |file: &fs::Metadata| (file.ctime(), file.ctime_nsec());
        let before = fs::metadata(file.path()).unwrap();
        let stamp = FileStamp::of(file.path()).unwrap();
        // Only the inode's time tells; the system counts it in steps.
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
