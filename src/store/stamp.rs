//! Telling cheaply whether a small file is still the same.

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

    /// Whether the last change is long enough ago that another one would
    /// give another stamp.
    pub fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age > GRAIN)
    }
}
