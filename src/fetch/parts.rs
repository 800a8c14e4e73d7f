//! Partial downloads, kept so that a later run can resume them.
//!
//! A partial file is named after the expected digest of the whole, and locked
//! while it grows. Its content is hashed again before it is resumed, and is not
//! trusted until the digest of the whole matches.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::digest::Digest;
use crate::file::{
    FileLock, Links, Unusable, create_private, is_at, open_regular, open_regular_with,
};

/// Age after which a partial file is deleted.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Most partial files to keep, so that a registry that never completes a download cannot fill the
/// disk.
const KEPT: usize = 8;

/// A locked partial file.
pub(super) struct Part {
    pub file: File,
    pub lock: FileLock,
    pub path: PathBuf,
}

/// Opens the partial file for this digest, and creates it if missing. `None` if
/// another download uses it.
pub(super) fn open(directory: &Path, digest: &Digest) -> io::Result<Option<Part>> {
    create_private(directory)?;
    let path = directory.join(digest.hex());
    sweep(directory, &path)?;
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    let file = match open_regular_with(&path, &mut options, Links::Refuse) {
        Err(error) if Unusable::of(&error).is_some() => return Ok(None),
        file => file?,
    };
    let Some(lock) = FileLock::try_on(file.try_clone()?)? else {
        return Ok(None);
    };
    // The previous holder of the lock may have completed the file and moved it
    // away.
    Ok(is_at(&file, &path).then_some(Part { file, lock, path }))
}

/// Removes old partial files and all but the newest, except those in use.
fn sweep(directory: &Path, wanted: &Path) -> io::Result<()> {
    let mut parts: Vec<(SystemTime, PathBuf)> = fs::read_dir(directory)?
        .flatten()
        .filter(|entry| entry.path() != wanted)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    parts.sort_by(|a, b| b.cmp(a));
    let now = SystemTime::now();
    for (nth, (modified, path)) in parts.iter().enumerate() {
        let old = now
            .duration_since(*modified)
            .is_ok_and(|age| age > LIFETIME);
        if !old && nth + 1 < KEPT {
            continue;
        }
        remove(path);
    }
    Ok(())
}

/// Removes all partial files that are not in use, and returns how many.
pub fn clear_parts(directory: &Path) -> usize {
    let parts = fs::read_dir(directory).into_iter().flatten().flatten();
    parts.filter(|part| remove(&part.path())).count()
}

/// Removes a partial file unless it is in use; whether it was removed.
fn remove(path: &Path) -> bool {
    let locked = || {
        let file = open_regular(path, Links::Refuse)?;
        Ok::<_, io::Error>((FileLock::try_on(file.try_clone()?)?, file))
    };
    // The next sweep tries again.
    let Ok((Some(_lock), file)) = locked() else {
        return false;
    };
    is_at(&file, path) && fs::remove_file(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modified(path: &Path, ago: Duration) {
        let time = SystemTime::now() - ago;
        let file = File::options().write(true).open(path).expect("a part");
        file.set_modified(time).expect("a time");
    }

    #[test]
    fn a_part_is_for_one_at_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let digest = Digest::of(b"a");
        let first = open(dir.path(), &digest).expect("opened").expect("free");
        assert!(open(dir.path(), &digest).expect("opened").is_none());
        drop(first);
        assert!(open(dir.path(), &digest).expect("opened").is_some());
    }

    #[test]
    fn old_parts_and_the_oldest_of_many_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let parts: Vec<PathBuf> = (0..20)
            .map(|n: u8| {
                let part = open(dir.path(), &Digest::of(&[n])).expect("opened");
                let path = part.expect("free").path;
                modified(&path, Duration::from_secs(u64::from(100 - n)));
                path
            })
            .collect();
        let used = open(dir.path(), &Digest::of(&[19])).expect("opened");
        modified(&parts[18], LIFETIME * 2);
        modified(&parts[19], LIFETIME * 2);
        drop(open(dir.path(), &Digest::of(b"new")).expect("opened"));
        let left = parts.iter().filter(|part| part.exists()).count();
        assert!(left < KEPT, "{left}");
        assert!(!parts[18].exists());
        assert!(parts[19].exists(), "it is in use");
        drop(used);
    }

    #[test]
    fn all_go_but_those_in_use() {
        let dir = tempfile::tempdir().expect("a directory");
        let part = |n: u8| {
            let part = open(dir.path(), &Digest::of(&[n])).expect("opened");
            part.expect("free")
        };
        let used = part(1);
        drop((part(2), part(3)));
        assert_eq!(clear_parts(dir.path()), 2);
        assert!(used.path.exists());
        drop(used);
        assert_eq!(clear_parts(dir.path()), 1);
        assert_eq!(clear_parts(&dir.path().join("none")), 0);
    }

    #[test]
    fn a_link_in_the_place_of_a_part_is_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (other, digest) = (dir.path().join("other"), Digest::of(b"a"));
        fs::write(&other, "mine").expect("written");
        let parts = dir.path().join("parts");
        fs::create_dir(&parts).expect("made");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&other, parts.join(digest.hex())).expect("linked");
        let part = open(&parts, &digest).expect("opened");
        assert!(part.is_none() || cfg!(not(unix)));
        assert_eq!(fs::read(&other).expect("there"), b"mine");
    }
}
